/// HTTP between nodes.
@NullMarked
package dev.parley.kv.node.peer;

import org.jspecify.annotations.NullMarked;
