"""Going to and fro through a recorded run."""
