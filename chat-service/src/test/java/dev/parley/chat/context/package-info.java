/// Tests of this package's pure parts.
@NullMarked
package dev.parley.chat.context;

import org.jspecify.annotations.NullMarked;
