/// Tests of this package's pure parts.
@NullMarked
package dev.parley.chat.sse;

import org.jspecify.annotations.NullMarked;
