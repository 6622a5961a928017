/// What a backend is, and what a valid description of one looks like. Pure.
@NullMarked
package dev.parley.registry.backend;

import org.jspecify.annotations.NullMarked;
