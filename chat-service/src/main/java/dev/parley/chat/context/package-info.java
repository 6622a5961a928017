/// What of a conversation a model is shown: counted in tokens, never an orphan. Pure.
@NullMarked
package dev.parley.chat.context;

import org.jspecify.annotations.NullMarked;
