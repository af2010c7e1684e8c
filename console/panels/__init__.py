"""The panels of the console: pure functions from a view to lines of text. No Textual, no clock, no state."""
