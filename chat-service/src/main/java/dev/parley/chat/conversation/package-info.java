/// Conversations and their messages as records in the replicated store. Pure but for the store.
@NullMarked
package dev.parley.chat.conversation;

import org.jspecify.annotations.NullMarked;
