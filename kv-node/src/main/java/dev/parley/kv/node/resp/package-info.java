/// The store as Redis clients see it: RESP2 on a port of its own, with the guarantees of the HTTP
/// API.
@NullMarked
package dev.parley.kv.node.resp;

import org.jspecify.annotations.NullMarked;
