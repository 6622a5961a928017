/// HTTP as clients see it.
@NullMarked
package dev.parley.kv.node.http;

import org.jspecify.annotations.NullMarked;
