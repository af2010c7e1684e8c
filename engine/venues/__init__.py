"""The outside: one port (feed and broker), one adapter per venue, and the simulated venue."""
