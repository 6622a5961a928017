/// Says from what the storage nodes and services report whether anything can be lost now.
@NullMarked
package dev.parley.frontend.cluster;

import org.jspecify.annotations.NullMarked;
