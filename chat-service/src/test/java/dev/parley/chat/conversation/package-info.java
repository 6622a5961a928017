/// Tests of this package's pure parts.
@NullMarked
package dev.parley.chat.conversation;

import org.jspecify.annotations.NullMarked;
