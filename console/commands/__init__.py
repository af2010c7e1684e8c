"""The commands of `nightdesk`, one module a subject. Each asks, shows and gives an exit code; it decides nothing."""
