/// Tests of this package's pure parts.
@NullMarked
package dev.parley.chat.balance;

import org.jspecify.annotations.NullMarked;
