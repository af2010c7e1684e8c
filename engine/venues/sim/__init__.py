"""The built-in venue: a server that speaks a real venue's wire format, and the markets it plays."""
