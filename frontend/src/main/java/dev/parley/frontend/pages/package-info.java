/// The HTML pages and their texts.
@NullMarked
package dev.parley.frontend.pages;

import org.jspecify.annotations.NullMarked;
