"""Speed and memory against their budgets. `make bench` runs all of it; figures belong in docs/performance.md."""
