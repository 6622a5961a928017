/// Which backend to try next, from the registry's last figures and our own counts. Pure.
@NullMarked
package dev.parley.chat.balance;

import org.jspecify.annotations.NullMarked;
