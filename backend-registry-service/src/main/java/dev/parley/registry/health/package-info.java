/// Whether a backend can be trusted with a request: probes, outcomes and their consequences. Pure.
@NullMarked
package dev.parley.registry.health;

import org.jspecify.annotations.NullMarked;
