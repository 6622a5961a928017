/// Per-key CASPaxos as a sans-IO core: events in, effects out, no clock, no thread, no socket.
@NullMarked
package dev.parley.kv.core;

import org.jspecify.annotations.NullMarked;
