/// The HTTP side: filters, the streaming relay, static files and the cluster overview on bare
/// Vert.x.
@NullMarked
package dev.parley.frontend.edge;

import org.jspecify.annotations.NullMarked;
