/// The process around the protocol core: HTTP for clients and peers, the log on disk, the clock.
@NullMarked
package dev.parley.kv.node;

import org.jspecify.annotations.NullMarked;
