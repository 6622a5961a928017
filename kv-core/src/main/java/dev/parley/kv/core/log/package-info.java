/// The durable log: its format, group commit, recovery and the storage it stands on.
@NullMarked
package dev.parley.kv.core.log;

import org.jspecify.annotations.NullMarked;
