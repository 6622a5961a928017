/// The bytes that protocol types become, between nodes and on disk.
@NullMarked
package dev.parley.kv.core.wire;

import org.jspecify.annotations.NullMarked;
