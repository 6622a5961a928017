/// Asks the backends themselves, over HTTP.
@NullMarked
package dev.parley.registry.probe;

import org.jspecify.annotations.NullMarked;
