/// A small OpenAI-compatible backend that plays the idiom chain and can be told to misbehave.
@NullMarked
package dev.parley.demo;

import org.jspecify.annotations.NullMarked;
