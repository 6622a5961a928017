/// The idiom dictionary and the rules of the chain game, knowing nothing of conversations.
@NullMarked
package dev.parley.demo.idiom;

import org.jspecify.annotations.NullMarked;
