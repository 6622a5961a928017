/// Backends, their health, and who should serve the next request.
@NullMarked
package dev.parley.registry;

import org.jspecify.annotations.NullMarked;
