/// The OpenAI wire format as values: requests, stream chunks, errors, failure classes. Pure.
@NullMarked
package dev.parley.chat.openai;

import org.jspecify.annotations.NullMarked;
