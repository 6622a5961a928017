package dev.parley.registry.backend;

/// One field of a request and what is wrong with it, in words for the person who sent it.
public record Violation(String field, String detail) {}
