/// Rules every request and response passes: origin, host name, headers, request id.
@NullMarked
package dev.parley.frontend.guard;

import org.jspecify.annotations.NullMarked;
