package dev.parley.kv.core;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.SequencedCollection;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.WeakHashMap;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// Turns a graph of objects into 128 bits, so that two graphs with the same bits behave the same.
///
/// The whole graph is walked by reflection, the variables that lambdas captured included. Objects
/// that can change are numbered in the order of the walk and named by that number when they are met
/// again, so that sharing counts; records and other values count by content alone. Nothing is left
/// out silently: a class of the JDK that is not known here, or an unordered collection, is an
/// error. What is left out on purpose is listed in [#IGNORED] and [#NORMALISED], with the reason.
final class CanonicalForm {

  /// The bits. MD5 spreads them evenly; nobody here chooses inputs in order to make it collide.
  record Bits(long high, long low) {}

  /// Never read by a decision ([Counters]), read only for those who watch, which nobody does here
  /// ([ChangeRing] and its users), or the same object throughout a search (the others).
  private static final List<Class<?>> IGNORED =
      List.of(
          Counters.class,
          ChangeRing.class,
          Tails.class,
          Watches.class,
          Rules.class,
          Timing.class,
          RandomGenerator.class);

  private interface Normal {
    @Nullable Object of(@Nullable Object value);
  }

  /// Fields of which only a part matters.
  ///
  /// - The numbers of alarms only decide between those due at the same instant. Alarms are walked
  ///   in that order, so the numbers themselves do not matter. When cancelled ones are swept out
  ///   shows nowhere.
  /// - When a peer was heard of only matters if silence makes it suspect, which [BoundedScenario]
  ///   rules out: there a peer is either known to be there or not.
  /// - Most partitions are empty.
  /// - Which origins of ballots are shared shows nowhere, nor do the places of a table of entries
  ///   that stand in a tree as well.
  private static final Map<String, Normal> NORMALISED =
      Map.of(
          "Alarms.order",
          _ -> null,
          "Alarms.sweepAt",
          _ -> null,
          "Alarm.order",
          _ -> null,
          "Peer.heard",
          heard -> heard instanceof Long at && at != Long.MIN_VALUE,
          "Acceptor.origins",
          _ -> null,
          "Partition.byKey",
          _ -> null,
          "Acceptor.partitions",
          CanonicalForm::inUse);

  /// The digests of layouts, which never change and are long. Layouts are compared by identity.
  private static final WeakHashMap<Layout, Long> DIGESTS = new WeakHashMap<>();

  private static final int MAX_DEPTH = 400;

  private record Walked(Field field, @Nullable Normal normal) {}

  private static final Map<Class<?>, List<Walked>> FIELDS = new HashMap<>();
  private static final Map<Class<?>, Integer> CLASSES = new HashMap<>();
  private static final Set<String> USED = new TreeSet<>();
  private static final List<?> IMMUTABLE = List.of(List.of().getClass(), List.of(1).getClass());

  private final IdentityHashMap<Object, Integer> numbers = new IdentityHashMap<>();
  private byte[] bytes = new byte[4096];
  private int size;
  private int depth;

  private CanonicalForm() {}

  static Bits of(@Nullable Object graph) {
    CanonicalForm form = new CanonicalForm();
    form.walk(graph);
    try {
      MessageDigest digest = MessageDigest.getInstance("MD5");
      digest.update(form.bytes, 0, form.size);
      byte[] hash = digest.digest();
      return new Bits(longAt(hash, 0), longAt(hash, 8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has MD5", e);
    }
  }

  /// The entries of [#NORMALISED] that no walk has met: names that the code no longer uses.
  static Set<String> staleNames() {
    Set<String> stale = new TreeSet<>(NORMALISED.keySet());
    stale.removeAll(USED);
    return stale;
  }

  private static long longAt(byte[] source, int offset) {
    long value = 0;
    for (int i = 0; i < 8; i++) {
      value = value << 8 | source[offset + i] & 0xff;
    }
    return value;
  }

  private void walk(@Nullable Object object) {
    if (++depth > MAX_DEPTH) {
      throw new IllegalStateException("the graph is too deep");
    }
    switch (object) {
      case null -> put((byte) 0);
      case Boolean b -> put((byte) (b ? 2 : 1));
      case Long l -> number(3, l);
      case Integer i -> number(4, i);
      case Double d -> number(5, Double.doubleToRawLongBits(d));
      case String s -> text(6, s);
      case byte[] b -> blob(7, b);
      case Key key -> blob(8, key.utf8());
      case long[] numbers -> {
        number(17, numbers.length);
        for (long each : numbers) {
          number(3, each);
        }
      }
      case Layout layout -> number(18, DIGESTS.computeIfAbsent(layout, Layout::digest));
      case Replicas replicas -> text(19, replicas.toString());
      case Enum<?> e -> text(9, e.getDeclaringClass().getName() + "." + e.name());
      case Object o when IGNORED.stream().anyMatch(ignored -> ignored.isInstance(o)) ->
          put((byte) 10);
      case Alarms.Alarm alarm when alarmAction(alarm) == null -> put((byte) 11);
      default -> structure(object);
    }
    depth--;
  }

  private void structure(Object object) {
    Class<?> type = object.getClass();
    boolean value = object instanceof Record || type.isHidden() || IMMUTABLE.contains(type);
    if (!value) {
      Integer known = numbers.putIfAbsent(object, numbers.size());
      if (known != null) {
        number(12, known);
        return;
      }
    }
    number(13, CLASSES.computeIfAbsent(type, _ -> CLASSES.size()));
    switch (object) {
      case PriorityQueue<?> queue -> {
        // The order of the array inside depends on the past, the order of removal does not.
        List<Object> inOrder = new ArrayList<>();
        PriorityQueue<?> copy = new PriorityQueue<>(queue);
        for (Object next = copy.poll(); next != null; next = copy.poll()) {
          if (!(next instanceof Alarms.Alarm alarm) || alarmAction(alarm) != null) {
            inOrder.add(next);
          }
        }
        all(inOrder);
      }
      case SequencedCollection<?> ordered -> all(ordered);
      case SequencedMap<?, ?> map -> {
        number(14, map.size());
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          walk(entry.getKey());
          walk(entry.getValue());
        }
      }
      case Object array when type.isArray() -> {
        int length = Array.getLength(array);
        number(15, length);
        for (int i = 0; i < length; i++) {
          walk(Array.get(array, i));
        }
      }
      default -> fields(object, type);
    }
  }

  private void all(Collection<?> elements) {
    number(16, elements.size());
    for (Object element : elements) {
      walk(element);
    }
  }

  private void fields(Object object, Class<?> type) {
    for (Walked each : FIELDS.computeIfAbsent(type, CanonicalForm::fieldsOf)) {
      Object content = get(each.field(), object);
      Normal normal = each.normal();
      walk(normal == null ? content : normal.of(content));
    }
  }

  private static List<Walked> fieldsOf(Class<?> type) {
    if (!type.getName().startsWith("dev.parley.")) {
      throw new IllegalStateException("no form is known for " + type);
    }
    List<Walked> fields = new ArrayList<>();
    for (Class<?> c = type; c != null && c != Object.class; c = c.getSuperclass()) {
      Field[] declared = c.getDeclaredFields();
      Arrays.sort(declared, (a, b) -> a.getName().compareTo(b.getName()));
      for (Field field : declared) {
        if (!Modifier.isStatic(field.getModifiers())) {
          field.setAccessible(true);
          String name = c.getSimpleName() + "." + field.getName();
          Normal normal = NORMALISED.get(name);
          if (normal != null) {
            USED.add(name);
          }
          fields.add(new Walked(field, normal));
        }
      }
    }
    return fields;
  }

  /// The value of a private field, for the little that the search must know of a node.
  static Object read(Object object, String name) {
    try {
      Field field = object.getClass().getDeclaredField(name);
      field.setAccessible(true);
      Object value = field.get(object);
      if (value == null) {
        throw new IllegalStateException(name + " is null");
      }
      return value;
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("no field " + name + " in " + object.getClass(), e);
    }
  }

  private static TreeMap<Integer, Object> inUse(@Nullable Object partitions) {
    TreeMap<Integer, Object> used = new TreeMap<>();
    for (int i = 0; partitions != null && i < Array.getLength(partitions); i++) {
      Object partition = Array.get(partitions, i);
      if (!read(partition, "slots").equals(Map.of()) || !read(partition, "floor").equals(0L)) {
        used.put(i, partition);
      }
    }
    return used;
  }

  private static @Nullable Object alarmAction(Alarms.Alarm alarm) {
    return get(ALARM_ACTION, alarm);
  }

  private static final Field ALARM_ACTION = alarmField();

  private static Field alarmField() {
    try {
      Field field = Alarms.Alarm.class.getDeclaredField("action");
      field.setAccessible(true);
      return field;
    } catch (NoSuchFieldException e) {
      throw new IllegalStateException(e);
    }
  }

  private static @Nullable Object get(Field field, Object object) {
    try {
      return field.get(object);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException("cannot read " + field, e);
    }
  }

  private void put(byte b) {
    if (size == bytes.length) {
      bytes = Arrays.copyOf(bytes, 2 * size);
    }
    bytes[size++] = b;
  }

  private void number(int tag, long value) {
    put((byte) tag);
    for (int shift = 56; shift >= 0; shift -= 8) {
      put((byte) (value >>> shift));
    }
  }

  private void text(int tag, String text) {
    blob(tag, text.getBytes(StandardCharsets.UTF_8));
  }

  private void blob(int tag, byte[] blob) {
    number(tag, blob.length);
    for (byte b : blob) {
      put(b);
    }
  }
}
