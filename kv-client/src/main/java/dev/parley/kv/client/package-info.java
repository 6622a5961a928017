/// How a service reads and writes the replicated store.
@NullMarked
package dev.parley.kv.client;

import org.jspecify.annotations.NullMarked;
