/// What clients of a store did and were told, and whether a correct store could have told them so.
@NullMarked
package dev.parley.kv.history;

import org.jspecify.annotations.NullMarked;
