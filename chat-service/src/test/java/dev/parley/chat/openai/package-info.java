/// Tests of this package's pure parts.
@NullMarked
package dev.parley.chat.openai;

import org.jspecify.annotations.NullMarked;
