/// The chat service against small real servers that play the registry and the backends.
@NullMarked
package dev.parley.chat;

import org.jspecify.annotations.NullMarked;
