"""The desk itself: the rules (core), the outside (venues), the strategies, the async shell (session), the review."""
