/// Conversations, their generations, and the OpenAI-compatible gateway.
@NullMarked
package dev.parley.chat;

import org.jspecify.annotations.NullMarked;
