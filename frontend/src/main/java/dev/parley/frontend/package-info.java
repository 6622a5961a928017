/// The one public origin: pages, static files, and the relay to the services behind.
@NullMarked
package dev.parley.frontend;

import org.jspecify.annotations.NullMarked;
