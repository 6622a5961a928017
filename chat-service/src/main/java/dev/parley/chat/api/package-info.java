/// The conversation API over HTTP, and the one place where its failures become statuses.
@NullMarked
package dev.parley.chat.api;

import org.jspecify.annotations.NullMarked;
