"""Who sits at a console, and so what its keys do."""

from enum import StrEnum


class Seat(StrEnum):
    OWNER = "owner"  # started the desk: leaving it asks what becomes of it
    OPERATOR = "operator"  # came to a desk that runs elsewhere: acts on it, and leaves it alone by leaving
    VIEWER = "viewer"  # watches a desk that runs elsewhere
    REPLAY = "replay"  # looks at what was recorded

    @property
    def acts(self) -> bool:
        """Whether the desk takes commands from here."""
        return self in (Seat.OWNER, Seat.OPERATOR)
