/// One HTTP call to one backend, with its clocks, as a stream of classified events.
@NullMarked
package dev.parley.chat.upstream;

import org.jspecify.annotations.NullMarked;
