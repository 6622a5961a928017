package dev.parley.registry.backend;

import java.net.InetAddress;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/// Which network addresses a backend may have. Link-local and cloud metadata addresses never:
/// what listens there gives out credentials. Private ones by setting, since a model server on the
/// same machine or network is the usual case.
public final class TargetAddresses {

  private static final Set<String> METADATA_NAMES =
      Set.of(
          "metadata",
          "metadata.google.internal",
          "metadata.goog",
          "metadata.azure.internal",
          "metadata.azure.com",
          "metadata.tencentyun.com",
          "instance-data",
          "instance-data.ec2.internal");

  /// Metadata services outside the link-local ranges: AWS over IPv6, Alibaba, Oracle.
  private static final Set<InetAddress> METADATA_ADDRESSES =
      Set.of(
          InetAddress.ofLiteral("fd00:ec2::254"),
          InetAddress.ofLiteral("100.100.100.200"),
          InetAddress.ofLiteral("192.0.0.192"));

  /// System libraries take a name that ends in such a number for an address.
  private static final Pattern ODD_NUMBER = Pattern.compile("0x[0-9a-f]*");

  private static final byte[] NAT64 = {0, 0x64, (byte) 0xff, (byte) 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};

  private final boolean allowPrivate;

  public TargetAddresses(boolean allowPrivate) {
    this.allowPrivate = allowPrivate;
  }

  /// Whether a URL may name this host. A name that is no literal address is judged by itself only;
  /// what it resolves to is for [#address].
  public boolean host(String urlHost) {
    String host = urlHost.toLowerCase(Locale.ROOT);
    while (host.endsWith(".")) {
      host = host.substring(0, host.length() - 1);
    }
    if (host.isEmpty() || METADATA_NAMES.contains(host)) {
      return false;
    }
    String lastLabel = host.substring(host.lastIndexOf('.') + 1);
    if (ODD_NUMBER.matcher(lastLabel).matches()) {
      return false;
    }
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    try {
      return address(
          InetAddress.ofLiteral(bracketed ? host.substring(1, host.length() - 1) : host));
    } catch (IllegalArgumentException notLiteral) {
      return !bracketed
          && (allowPrivate || !(host.equals("localhost") || host.endsWith(".localhost")));
    }
  }

  /// Whether a backend may be called at this address.
  public boolean address(InetAddress address) {
    byte[] bytes = address.getAddress();
    if (bytes.length == 16 && carriesIpv4(bytes)) {
      return address(ipv4(Arrays.copyOfRange(bytes, 12, 16)));
    }
    if (address.isLinkLocalAddress()
        || address.isMulticastAddress()
        || METADATA_ADDRESSES.contains(withoutScope(address))
        || isBroadcast(bytes)) {
      return false;
    }
    return allowPrivate
        || !(address.isLoopbackAddress()
            || address.isAnyLocalAddress()
            || address.isSiteLocalAddress()
            || isUniqueLocal(bytes)
            || isCarrierNat(bytes));
  }

  private static boolean carriesIpv4(byte[] ipv6) {
    byte[] prefix = Arrays.copyOf(ipv6, 12);
    boolean compatible = Arrays.equals(prefix, new byte[12]) && (ipv6[12] != 0 || ipv6[13] != 0);
    return compatible || Arrays.equals(prefix, NAT64);
  }

  private static InetAddress ipv4(byte[] bytes) {
    return InetAddress.ofLiteral(
        "%d.%d.%d.%d".formatted(bytes[0] & 255, bytes[1] & 255, bytes[2] & 255, bytes[3] & 255));
  }

  private static InetAddress withoutScope(InetAddress address) {
    String text = address.getHostAddress();
    int scope = text.indexOf('%');
    return scope < 0 ? address : InetAddress.ofLiteral(text.substring(0, scope));
  }

  private static boolean isBroadcast(byte[] bytes) {
    return bytes.length == 4 && (bytes[0] & 255) >= 240;
  }

  private static boolean isUniqueLocal(byte[] bytes) {
    return bytes.length == 16 && (bytes[0] & 0xfe) == 0xfc;
  }

  private static boolean isCarrierNat(byte[] bytes) {
    return bytes.length == 4 && (bytes[0] & 255) == 100 && (bytes[1] & 0xc0) == 64;
  }
}
