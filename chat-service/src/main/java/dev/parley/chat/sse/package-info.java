/// Server-sent events read from bytes, whatever the network did to their boundaries. Pure.
@NullMarked
package dev.parley.chat.sse;

import org.jspecify.annotations.NullMarked;
