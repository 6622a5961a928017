/// The backends in the replicated store, and the copy of them this process works with.
@NullMarked
package dev.parley.registry.store;

import org.jspecify.annotations.NullMarked;
