package dev.parley.kv.history;

import dev.parley.kv.history.Operation.Condition;
import dev.parley.kv.history.Operation.Outcome;
import dev.parley.kv.history.Operation.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/// The obvious twin of [KeySearch]: tries every order of the operations, with every choice of
/// which of the unknown ones took effect and of the versions that nobody told, on a store of three
/// variables. Good for about seven operations on one key.
final class EveryOrder {

  /// A version between those that are mentioned anywhere.
  private static final long UNMENTIONED = 0;

  private final List<Operation> operations;
  private final TreeSet<Long> mentioned = new TreeSet<>();

  EveryOrder(List<Operation> operations) {
    this.operations = operations;
    for (Operation operation : operations) {
      switch (operation.outcome()) {
        case Outcome.Found(var version, _) -> mention(version);
        case Outcome.Applied(var version, _) -> mention(version);
        case Outcome.Conflict(var version) -> mention(version);
        default -> {}
      }
      switch (operation.request()) {
        case Request.Put(_, Condition.At(var version)) -> mention(version);
        case Request.Delete(Condition.At(var version)) -> mention(version);
        default -> {}
      }
    }
  }

  private void mention(long version) {
    if (version > 0) {
      mentioned.add(version);
    }
  }

  boolean explains() {
    return explains(operations, null, UNMENTIONED, 0);
  }

  /// Whether the operations that are left can follow, the key being at `value` and `version`;
  /// `low` is the highest mentioned version that it ever had.
  private boolean explains(List<Operation> left, @Nullable String value, long version, long low) {
    if (left.stream().noneMatch(EveryOrder::isAnswered)) {
      return true;
    }
    for (Operation next : left) {
      boolean mayBeNext =
          left.stream().noneMatch(other -> isAnswered(other) && other.ended() < next.begun());
      List<Operation> rest = new ArrayList<>(left);
      rest.remove(next);
      if (mayBeNext && explainsAfter(next, rest, value, version, low)) {
        return true;
      }
    }
    return false;
  }

  private boolean explainsAfter(
      Operation next, List<Operation> rest, @Nullable String value, long version, long low) {
    boolean unknown = next.outcome() instanceof Outcome.Unknown;
    Condition condition;
    String written;
    switch (next.request()) {
      case Request.Read() -> {
        boolean fits =
            switch (next.outcome()) {
              case Outcome.Found(var itsVersion, var itsValue) ->
                  itsValue.equals(value) && (itsVersion == Outcome.UNTOLD || itsVersion == version);
              case Outcome.Absent() -> value == null;
              default -> false;
            };
        return fits && explains(rest, value, version, low);
      }
      case Request.Put(var body, var demanded) -> {
        condition = demanded;
        written = body;
      }
      case Request.Delete(var demanded) -> {
        condition = demanded;
        written = null;
      }
    }
    boolean holds =
        switch (condition) {
          case Condition.Always() -> true;
          case Condition.Absent() -> value == null;
          case Condition.Present() -> value != null;
          case Condition.At(var demanded) -> value != null && version == demanded;
        };
    boolean changes = holds && (written != null || value != null);
    switch (next.outcome()) {
      case Outcome.Conflict(var current) -> {
        boolean told = current == Outcome.UNTOLD || current == (value == null ? 0 : version);
        // Zero is also how an unmentioned version is written down here.
        boolean confused = current == 0 && value != null;
        return !holds && told && !confused && explains(rest, value, version, low);
      }
      case Outcome.Missing() -> {
        return value == null && explains(rest, value, version, low);
      }
      case Outcome.Applied(_, var existed) -> {
        if (!changes || existed != (value != null)) {
          return false;
        }
      }
      default -> {
        if (!unknown || !changes) {
          return false;
        }
      }
    }
    long told = next.outcome() instanceof Outcome.Applied(var itsVersion, _) ? itsVersion : -1;
    for (long made : told > 0 ? new TreeSet<>(List.of(told)) : withUnmentioned()) {
      if ((made == UNMENTIONED || made > low)
          && explains(rest, written, made, Math.max(made, low))) {
        return true;
      }
    }
    return false;
  }

  private TreeSet<Long> withUnmentioned() {
    TreeSet<Long> versions = new TreeSet<>(mentioned);
    versions.add(UNMENTIONED);
    return versions;
  }

  private static boolean isAnswered(Operation operation) {
    return !(operation.outcome() instanceof Outcome.Unknown
        || operation.outcome() instanceof Outcome.NotApplied);
  }
}
