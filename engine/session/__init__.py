"""The async shell around the core: lifecycle, tasks, timers, watchdogs, control socket. Carries; decides nothing."""
