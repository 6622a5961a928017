/// All backends with what is known about each of them now, behind one lock. Pure.
@NullMarked
package dev.parley.registry.fleet;

import org.jspecify.annotations.NullMarked;
