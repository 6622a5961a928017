package dev.parley.chat.conversation;

/// A place in a conversation's event stream: which message, and how far into its text.
///
/// `seq = ordinal·2^24 + position`, where position counts UTF-16 units of the text, and the highest
/// position says that the message is final. Below 2^53, so that a browser can hold it.
public record Seq(int ordinal, int position) implements Comparable<Seq> {

  private static final int POSITION_BITS = 24;

  /// The position of a message that will not change any more.
  public static final int FINAL = (1 << POSITION_BITS) - 1;

  public static final Seq START = new Seq(0, 0);

  public Seq {
    if (ordinal < 0 || position < 0 || position > FINAL) {
      throw new IllegalArgumentException("no such place: " + ordinal + ", " + position);
    }
  }

  public static Seq ofMessage(Message message) {
    return message.state().terminal()
        ? new Seq(message.ordinal(), FINAL)
        : new Seq(message.ordinal(), Math.min(FINAL - 1, message.content().length()));
  }

  public static Seq of(long value) {
    if (value < 0 || value >>> POSITION_BITS > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("no such place: " + value);
    }
    return new Seq((int) (value >>> POSITION_BITS), (int) (value & FINAL));
  }

  public long value() {
    return ((long) ordinal << POSITION_BITS) + position;
  }

  public boolean isFinal() {
    return position == FINAL;
  }

  @Override
  public int compareTo(Seq other) {
    return Long.compare(value(), other.value());
  }
}
