package dev.parley.frontend;

import java.net.URI;

/// A service by the name people know it by.
public record NamedUrl(String name, URI url) {}
