"""Bitunix USDT perpetuals. The same client speaks to the venue and to the built-in one; only the base URLs differ."""
