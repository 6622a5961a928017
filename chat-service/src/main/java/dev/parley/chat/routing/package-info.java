/// The registry seen from here: selections, credentials, outcomes, and the routes they make.
@NullMarked
package dev.parley.chat.routing;

import org.jspecify.annotations.NullMarked;
