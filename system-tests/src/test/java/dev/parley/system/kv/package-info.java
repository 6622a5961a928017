/// The store as real processes that are killed, stopped, cut off from each other and robbed of
/// their disks, while clients record what they are told.
@NullMarked
package dev.parley.system.kv;

import org.jspecify.annotations.NullMarked;
