/// The store as whole processes under load, beside etcd.
@NullMarked
package dev.parley.benchmarks.kv;

import org.jspecify.annotations.NullMarked;
