/// What the demonstration says: a pure function of the conversation, the seed and its own name.
@NullMarked
package dev.parley.demo.reply;

import org.jspecify.annotations.NullMarked;
