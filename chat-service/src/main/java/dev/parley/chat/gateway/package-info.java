/// The OpenAI-compatible API: bare Vert.x routes over the pure rules of the openai package.
@NullMarked
package dev.parley.chat.gateway;

import org.jspecify.annotations.NullMarked;
