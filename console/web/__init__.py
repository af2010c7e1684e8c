"""The console in a browser: `nightdesk serve`."""
