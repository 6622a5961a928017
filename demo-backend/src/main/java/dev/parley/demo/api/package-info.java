/// The OpenAI-compatible API and the fault knobs over HTTP: bare Vert.x, a timer and no thread per
/// stream.
@NullMarked
package dev.parley.demo.api;

import org.jspecify.annotations.NullMarked;
