"""The rules. Deterministic and synchronous: events in, facts and effects out; no I/O, no clock, no chance."""
