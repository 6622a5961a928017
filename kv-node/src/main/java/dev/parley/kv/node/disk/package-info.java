/// The log on a real disk: files, flushes, the thread that waits for them.
@NullMarked
package dev.parley.kv.node.disk;

import org.jspecify.annotations.NullMarked;
