"""The console's screens. Each shows lines made by pure functions; wishes go up to the app."""
