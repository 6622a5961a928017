/// Decides which service a request goes to, in which order its replicas are tried, and when it may
/// be sent again.
@NullMarked
package dev.parley.frontend.routing;

import org.jspecify.annotations.NullMarked;
