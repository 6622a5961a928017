/// The HTTP face of the registry.
@NullMarked
package dev.parley.registry.api;

import org.jspecify.annotations.NullMarked;
