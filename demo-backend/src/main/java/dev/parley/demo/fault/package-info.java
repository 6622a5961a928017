/// Which fault strikes which request, decided without a clock or a network of its own.
@NullMarked
package dev.parley.demo.fault;

import org.jspecify.annotations.NullMarked;
