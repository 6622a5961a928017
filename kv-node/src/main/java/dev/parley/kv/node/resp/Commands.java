package dev.parley.kv.node.resp;

import dev.parley.kv.core.Answer;
import dev.parley.kv.core.Key;
import dev.parley.kv.core.Mutation;
import dev.parley.kv.core.OpId;
import dev.parley.kv.core.Precondition;
import dev.parley.kv.node.Keys;
import dev.parley.kv.node.NodeHost;
import dev.parley.kv.node.NodeStatus;
import dev.parley.kv.node.Settings;
import io.netty.handler.codec.redis.ErrorRedisMessage;
import io.netty.handler.codec.redis.RedisMessage;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// The commands of Redis that the store can keep the promises of, and those that clients send when
/// they connect.
///
/// There is one user, the service token its password. Without it a client reaches the keyspaces
/// that need none, unless the node is told to ask everyone.
final class Commands {

  private static final int MAX_COUNT = 1000;
  private static final int DEFAULT_COUNT = 10;

  /// Bytes of values in one reply. A thousand keys could have a thousand mebibytes.
  private static final long MAX_REPLY_BYTES = 8 << 20;

  private static final String CLIENT_HELP =
      """
      CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
      GETNAME
          Return the name of the current connection.
      HELP
          Print this help.
      ID
          Return the ID of the current connection.
      SETINFO <option> <value>
          Accepted and not kept.
      SETNAME <name>
          Assign the name <name> to the current connection.
      """;

  private static final SecureRandom RANDOM = new SecureRandom();

  /// Which commands of a connection a command must not overtake.
  private enum Touches {
    NOTHING,
    FIRST_ARGUMENT,
    ALL_ARGUMENTS,
    EVERYTHING
  }

  private interface Body {
    CompletableFuture<RedisMessage> run(Session session, List<byte[]> arguments, List<Key> keys);
  }

  /// @param most arguments, or -1 for any number
  private record Spec(int least, int most, Touches touches, Body body) {}

  private final Settings settings;
  private final NodeHost host;
  private final Cursors cursors;
  private final Map<String, Spec> specs;

  Commands(Settings settings, NodeHost host, Cursors cursors) {
    this.settings = settings;
    this.host = host;
    this.cursors = cursors;
    this.specs =
        Map.ofEntries(
            Map.entry("get", new Spec(1, 1, Touches.FIRST_ARGUMENT, this::get)),
            Map.entry("set", new Spec(2, -1, Touches.FIRST_ARGUMENT, this::set)),
            Map.entry("del", new Spec(1, -1, Touches.ALL_ARGUMENTS, this::delete)),
            Map.entry("exists", new Spec(1, -1, Touches.ALL_ARGUMENTS, this::exists)),
            Map.entry("mget", new Spec(1, -1, Touches.ALL_ARGUMENTS, this::getMany)),
            Map.entry("scan", new Spec(1, -1, Touches.EVERYTHING, this::scan)),
            Map.entry("ping", at(0, 1, (_, a) -> ping(a))),
            Map.entry("echo", at(1, 1, (_, a) -> Replies.bulk(a.getFirst()))),
            Map.entry("info", at(0, -1, (_, _) -> Replies.bulk(info()))),
            Map.entry("hello", at(0, -1, this::hello)),
            Map.entry("auth", at(1, 2, this::authenticate)),
            Map.entry("select", at(1, 1, (_, a) -> select(a))),
            Map.entry("client", at(1, -1, this::client)),
            Map.entry("command", at(0, -1, (_, a) -> describe(a))),
            Map.entry("quit", at(0, -1, (_, _) -> Replies.ok())));
  }

  private interface Immediate {
    RedisMessage reply(Session session, List<byte[]> arguments);
  }

  /// A command that is answered on the spot.
  private static Spec at(int least, int most, Immediate immediate) {
    return new Spec(
        least, most, Touches.NOTHING, (session, a, _) -> now(immediate.reply(session, a)));
  }

  private static CompletableFuture<RedisMessage> now(RedisMessage reply) {
    return CompletableFuture.completedFuture(reply);
  }

  /// Carries out a command after those it must not overtake. The future never fails and completes
  /// on the connection's event loop.
  CompletableFuture<RedisMessage> run(Session session, Order order, Command command) {
    if (command.refusal() != null) {
      return now(Replies.error(command.refusal()));
    }
    String name = command.name();
    List<byte[]> arguments = command.arguments();
    Spec spec = specs.get(name);
    if (spec == null) {
      return now(unknown(command));
    }
    if (arguments.size() < spec.least() || spec.most() >= 0 && arguments.size() > spec.most()) {
      return now(Replies.wrongArguments(name));
    }
    if (needPassword() && !session.authenticated() && !open(name)) {
      return now(Replies.error("NOAUTH Authentication required."));
    }
    List<Key> keys = new ArrayList<>();
    try {
      switch (spec.touches()) {
        case NOTHING, EVERYTHING -> {}
        case FIRST_ARGUMENT -> keys.add(Keys.of(arguments.getFirst()));
        case ALL_ARGUMENTS -> {
          for (byte[] argument : arguments) {
            keys.add(Keys.of(argument));
          }
        }
      }
    } catch (IllegalArgumentException e) {
      return now(Replies.error("ERR " + e.getMessage()));
    }
    for (Key key : keys) {
      if (!session.authenticated() && settings.isProtected(key.toString())) {
        return now(noPermission());
      }
    }
    return spec.touches() == Touches.EVERYTHING
        ? order.alone(() -> spec.body().run(session, arguments, keys))
        : order.after(keys, () -> spec.body().run(session, arguments, keys));
  }

  /// Whether a client may do nothing before it has shown the password.
  boolean needPassword() {
    return settings.respAuth();
  }

  /// What a client may say before it has shown the password.
  private static boolean open(String command) {
    return command.equals("auth") || command.equals("hello") || command.equals("quit");
  }

  private static RedisMessage noPermission() {
    return Replies.error(
        "NOPERM No permissions to access a key: AUTH with the service token first");
  }

  private static RedisMessage unknown(Command command) {
    StringBuilder line = new StringBuilder("ERR unknown command '");
    line.append(shortened(command.parts().getFirst())).append("', with args beginning with: ");
    for (byte[] argument : command.arguments()) {
      if (line.length() > 256) {
        break;
      }
      line.append('\'').append(shortened(argument)).append("' ");
    }
    return Replies.error(line.toString());
  }

  private static String shortened(byte[] bytes) {
    String text = Command.text(bytes);
    return text.length() > 128 ? text.substring(0, 128) : text;
  }

  // What touches the store.

  private CompletableFuture<Answer> read(Session session, Key key) {
    return session.ask(answer -> host.read(key, answer));
  }

  /// Writes, and asks a second time if the outcome is unknown: under the same operation id, so that
  /// it takes effect once, and with the lowest base, so that a key that has forgotten the operation
  /// refuses it rather than applying it again. Of the second answer only success settles what
  /// became of the first attempt.
  private CompletableFuture<Answer> write(
      Session session, Key key, Precondition condition, byte @Nullable [] body, long expiresAt) {
    OpId op = new OpId(RANDOM.nextLong(), RANDOM.nextLong());
    Mutation first = new Mutation(op, condition, body, Mutation.NO_BASE, expiresAt);
    return session
        .ask(answer -> host.write(key, first, answer))
        .thenCompose(
            outcome -> {
              if (!(outcome instanceof Answer.Unknown)) {
                return CompletableFuture.completedFuture(outcome);
              }
              Mutation again = new Mutation(op, condition, body, 0, expiresAt);
              return session
                  .ask(answer -> host.write(key, again, answer))
                  .thenApply(second -> second instanceof Answer.Applied ? second : outcome);
            });
  }

  private CompletableFuture<RedisMessage> get(
      Session session, List<byte[]> arguments, List<Key> keys) {
    return read(session, keys.getFirst()).thenApply(Commands::value);
  }

  private static RedisMessage value(Answer answer) {
    return switch (answer) {
      case Answer.Found found -> Replies.bulk(found.body());
      case Answer.Absent() -> Replies.nil();
      default -> Replies.failed(answer);
    };
  }

  private CompletableFuture<RedisMessage> set(
      Session session, List<byte[]> arguments, List<Key> keys) {
    Precondition condition = new Precondition.Always();
    long expiresAt = 0;
    for (int i = 2; i < arguments.size(); i++) {
      String option = option(arguments.get(i));
      boolean unconditional = condition instanceof Precondition.Always;
      if (option.equals("NX") && unconditional) {
        condition = new Precondition.Absent();
      } else if (option.equals("XX") && unconditional) {
        condition = new Precondition.Present();
      } else if ((option.equals("EX") || option.equals("PX"))
          && expiresAt == 0
          && i + 1 < arguments.size()) {
        i++;
        long unit = option.equals("EX") ? 1000 : 1;
        Optional<Long> time = number(arguments.get(i));
        if (time.isEmpty()) {
          return now(Replies.error("ERR value is not an integer or out of range"));
        }
        long moment = System.currentTimeMillis();
        if (time.get() <= 0 || time.get() > (Long.MAX_VALUE - moment) / unit) {
          return now(Replies.error("ERR invalid expire time in 'set' command"));
        }
        expiresAt = moment + time.get() * unit;
      } else {
        return now(Replies.syntax());
      }
    }
    return write(session, keys.getFirst(), condition, arguments.get(1), expiresAt)
        .thenApply(
            answer ->
                switch (answer) {
                  case Answer.Applied _ -> Replies.ok();
                  case Answer.Conflict _ -> Replies.nil();
                  default -> Replies.failed(answer);
                });
  }

  private CompletableFuture<RedisMessage> delete(
      Session session, List<byte[]> arguments, List<Key> keys) {
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    for (Key key : new LinkedHashSet<>(keys)) {
      answers.add(write(session, key, new Precondition.Always(), null, 0));
    }
    return all(answers)
        .thenApply(
            outcomes -> {
              long deleted = 0;
              Answer failure = null;
              for (Answer outcome : outcomes) {
                if (outcome instanceof Answer.Applied) {
                  deleted++;
                } else if (!(outcome instanceof Answer.Missing)
                    && !(failure instanceof Answer.Unknown)) {
                  failure = outcome;
                }
              }
              if (failure != null && deleted > 0) {
                // Not "not applied" as a whole.
                return Replies.error(
                    "UNKNOWN only "
                        + deleted
                        + " of "
                        + outcomes.size()
                        + " keys were certainly deleted; deleting them again is safe");
              }
              return failure == null ? Replies.integer(deleted) : Replies.failed(failure);
            });
  }

  private CompletableFuture<RedisMessage> exists(
      Session session, List<byte[]> arguments, List<Key> keys) {
    return all(keys.stream().map(key -> read(session, key)).toList())
        .thenApply(
            answers -> {
              long found = 0;
              for (Answer answer : answers) {
                if (!(answer instanceof Answer.Found) && !(answer instanceof Answer.Absent)) {
                  return Replies.failed(answer);
                }
                found += answer instanceof Answer.Found ? 1 : 0;
              }
              return Replies.integer(found);
            });
  }

  private CompletableFuture<RedisMessage> getMany(
      Session session, List<byte[]> arguments, List<Key> keys) {
    long[] bytes = {0};
    List<CompletableFuture<Answer>> answers = new ArrayList<>();
    for (Key key : keys) {
      answers.add(
          session
              .ask(
                  answer -> {
                    if (bytes[0] > MAX_REPLY_BYTES) {
                      answer.accept(new Answer.Absent()); // Nobody will see it.
                    } else {
                      host.read(key, answer);
                    }
                  })
              .thenApply(
                  answer -> {
                    if (answer instanceof Answer.Found found) {
                      bytes[0] += found.body().length;
                      return bytes[0] > MAX_REPLY_BYTES ? new Answer.Absent() : answer;
                    }
                    return answer;
                  }));
    }
    return all(answers)
        .thenApply(
            all -> {
              if (bytes[0] > MAX_REPLY_BYTES) {
                return Replies.error(
                    "ERR the values have more than "
                        + MAX_REPLY_BYTES
                        + " bytes together: ask for fewer keys at once");
              }
              List<RedisMessage> values = new ArrayList<>();
              for (Answer answer : all) {
                if (!(answer instanceof Answer.Found) && !(answer instanceof Answer.Absent)) {
                  return Replies.failed(answer);
                }
                values.add(value(answer));
              }
              return Replies.array(values);
            });
  }

  private static CompletableFuture<List<Answer>> all(List<CompletableFuture<Answer>> answers) {
    return CompletableFuture.allOf(answers.toArray(CompletableFuture<?>[]::new))
        .thenApply(_ -> answers.stream().map(CompletableFuture::join).toList());
  }

  private CompletableFuture<RedisMessage> scan(
      Session session, List<byte[]> arguments, List<Key> keys) {
    Optional<Long> cursor = number(arguments.getFirst());
    if (cursor.isEmpty() || cursor.get() < 0) {
      return now(Replies.error("ERR invalid cursor"));
    }
    byte[] pattern = {'*'};
    int count = DEFAULT_COUNT;
    boolean strings = true;
    for (int i = 1; i < arguments.size(); i += 2) {
      if (i + 1 == arguments.size()) {
        return now(Replies.syntax());
      }
      byte[] argument = arguments.get(i + 1);
      switch (option(arguments.get(i))) {
        case "MATCH" -> pattern = argument;
        case "COUNT" -> {
          Optional<Long> number = number(argument);
          if (number.isEmpty()) {
            return now(Replies.error("ERR value is not an integer or out of range"));
          }
          if (number.get() < 1) {
            return now(Replies.syntax());
          }
          count = (int) Math.min(MAX_COUNT, number.get());
        }
        case "TYPE" -> strings = option(argument).equals("STRING");
        default -> {
          return now(Replies.syntax());
        }
      }
    }
    Key after = null;
    if (cursor.get() != 0) {
      after = cursors.position(cursor.get()).orElse(null);
      if (after == null) {
        return now(
            Replies.error(
                "ERR invalid cursor: a scan goes on at the node where it began, and not for ever"));
      }
    }
    Glob glob = new Glob(pattern);
    byte[] prefix = glob.prefix();
    if (!session.authenticated()
        && settings.reachesProtected(new String(prefix, StandardCharsets.UTF_8))) {
      return now(noPermission());
    }
    if (prefix.length > Key.MAX_BYTES || !strings) {
      return now(page(0, List.of()));
    }
    Key from = after;
    int rows = count;
    return session
        .ask(answer -> host.scan(prefix, from, rows, answer))
        .thenApply(
            answer -> {
              if (!(answer instanceof Answer.Page page)) {
                return Replies.failed(answer);
              }
              List<RedisMessage> found = new ArrayList<>();
              for (Answer.Row row : page.rows()) {
                if (glob.matches(row.key().utf8())) {
                  found.add(Replies.bulk(row.key().utf8()));
                }
              }
              Key next = page.next();
              return page(next == null ? 0 : cursors.remember(next), found);
            });
  }

  private static RedisMessage page(long cursor, List<RedisMessage> keys) {
    return Replies.array(List.of(Replies.bulk(Long.toString(cursor)), Replies.array(keys)));
  }

  // What does not.

  private static RedisMessage ping(List<byte[]> arguments) {
    return arguments.isEmpty() ? Replies.simple("PONG") : Replies.bulk(arguments.getFirst());
  }

  private RedisMessage authenticate(Session session, List<byte[]> arguments) {
    boolean user = arguments.size() == 1 || Command.text(arguments.getFirst()).equals("default");
    String password = new String(arguments.getLast(), StandardCharsets.UTF_8);
    if (!user || !settings.authorized("Bearer " + password)) {
      return Replies.error("WRONGPASS invalid username-password pair or user is disabled.");
    }
    session.authenticate();
    return Replies.ok();
  }

  private RedisMessage hello(Session session, List<byte[]> arguments) {
    if (!arguments.isEmpty()) {
      Optional<Long> version = number(arguments.getFirst());
      if (version.isEmpty()) {
        return Replies.error("ERR Protocol version is not an integer or out of range");
      }
      if (version.get() != 2) {
        return Replies.error("NOPROTO unsupported protocol version");
      }
    }
    String name = null;
    List<byte[]> password = null;
    for (int i = 1; i < arguments.size(); ) {
      String option = option(arguments.get(i));
      if (option.equals("AUTH") && i + 2 < arguments.size()) {
        password = arguments.subList(i + 1, i + 3);
        i += 3;
      } else if (option.equals("SETNAME") && i + 1 < arguments.size()) {
        name = Command.text(arguments.get(i + 1));
        i += 2;
      } else {
        return Replies.error("ERR Syntax error in HELLO option '" + option + "'");
      }
    }
    if (password != null && authenticate(session, password) instanceof ErrorRedisMessage refused) {
      return refused;
    }
    if (needPassword() && !session.authenticated()) {
      return Replies.error(
          "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO"
              + " <proto> AUTH <user> <pass> option can be used to authenticate the client and"
              + " select the RESP protocol version at the same time");
    }
    if (name != null) {
      session.name(name);
    }
    return Replies.array(
        List.of(
            Replies.bulk("server"),
            Replies.bulk("parley-kv"),
            Replies.bulk("version"),
            Replies.bulk(VERSION),
            Replies.bulk("proto"),
            Replies.integer(2),
            Replies.bulk("id"),
            Replies.integer(session.id()),
            Replies.bulk("mode"),
            Replies.bulk("standalone"),
            Replies.bulk("role"),
            Replies.bulk("master"),
            Replies.bulk("modules"),
            Replies.array(List.of())));
  }

  private static RedisMessage select(List<byte[]> arguments) {
    Optional<Long> index = number(arguments.getFirst());
    if (index.isEmpty()) {
      return Replies.error("ERR value is not an integer or out of range");
    }
    return index.get() == 0 ? Replies.ok() : Replies.error("ERR DB index is out of range");
  }

  private RedisMessage client(Session session, List<byte[]> arguments) {
    String subcommand = option(arguments.getFirst());
    int given = arguments.size() - 1;
    int wanted =
        switch (subcommand) {
          case "ID", "GETNAME", "HELP" -> 0;
          case "SETNAME" -> 1;
          case "SETINFO" -> 2;
          default -> -1;
        };
    if (wanted < 0) {
      return Replies.error(
          "ERR unknown subcommand '" + shortened(arguments.getFirst()) + "'. Try CLIENT HELP.");
    }
    if (given != wanted) {
      return Replies.wrongArguments("client|" + subcommand.toLowerCase(Locale.ROOT));
    }
    return switch (subcommand) {
      case "HELP" -> Replies.array(CLIENT_HELP.lines().map(Replies::simple).toList());
      case "ID" -> Replies.integer(session.id());
      case "GETNAME" -> session.name().isEmpty() ? Replies.nil() : Replies.bulk(session.name());
      case "SETNAME" -> {
        String name = Command.text(arguments.get(1));
        if (!name.matches("[!-~]{0,64}")) {
          yield Replies.error(
              "ERR Client names cannot contain spaces, newlines or special characters.");
        }
        session.name(name);
        yield Replies.ok();
      }
      default -> Replies.ok();
    };
  }

  /// Clients ask in order to complete what is typed. There is nothing to tell them.
  private RedisMessage describe(List<byte[]> arguments) {
    return !arguments.isEmpty() && option(arguments.getFirst()).equals("COUNT")
        ? Replies.integer(specs.size())
        : Replies.array(List.of());
  }

  private String info() {
    NodeStatus status = host.status();
    return String.join(
        "\r\n",
        "# Server",
        "server_name:parley-kv",
        "parley_version:" + VERSION,
        "redis_mode:standalone",
        "tcp_port:" + settings.respPort(),
        "",
        "# Replication",
        "role:master",
        "",
        "# Parley",
        "cluster_id:" + settings.cluster(),
        "node_id:" + settings.self(),
        "quorum_needed:" + status.needed(),
        "members_reachable:" + status.reachable(),
        "keys_on_this_node:" + status.keys(),
        "live_bytes_on_this_node:" + status.liveBytes(),
        "full:" + (status.full() ? 1 : 0),
        "");
  }

  private static final String VERSION =
      Optional.ofNullable(Commands.class.getPackage().getImplementationVersion()).orElse("0.1.0");

  private static String option(byte[] argument) {
    return Command.text(argument).toUpperCase(Locale.ROOT);
  }

  private static Optional<Long> number(byte[] argument) {
    String text = Command.text(argument);
    return text.matches("-?[0-9]{1,18}") || text.matches("[0-9]{19}") && fits(text)
        ? Optional.of(Long.parseLong(text))
        : Optional.empty();
  }

  private static boolean fits(String nineteenDigits) {
    return nineteenDigits.compareTo(Long.toString(Long.MAX_VALUE)) <= 0;
  }
}
