package dev.parley.registry.policy;

/// A candidate in its place, with the reason for it in words.
public record Choice(Candidate candidate, String reason) {}
