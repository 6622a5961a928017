/// Who should serve the next request: estimators, the score, and the policies. Pure.
@NullMarked
package dev.parley.registry.policy;

import org.jspecify.annotations.NullMarked;
