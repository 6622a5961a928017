/// Answers being written: owned by a replica under a fencing epoch, adopted when it falls silent.
@NullMarked
package dev.parley.chat.generation;

import org.jspecify.annotations.NullMarked;
