/// Tests of this package's pure parts.
@NullMarked
package dev.parley.chat.generation;

import org.jspecify.annotations.NullMarked;
