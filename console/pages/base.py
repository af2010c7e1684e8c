"""What every page of the console has in common: it stands below the desk's head, and knows how to show.

A page is told what is seen of the desk at every frame and gives its lines for whatever room there is. What it needs
beside that it reads from the desk's memory, when the console asks it to, never by itself.
"""

from enum import Enum
from typing import Any, ClassVar, NamedTuple

from console.text import Line, Seen


class Source(Enum):
    """What a page reads from: the desk's database, as `store.queries.Queries`, or its files, by its `Home`."""

    BOOKS = "books"
    FILES = "files"


class Hint(NamedTuple):
    """A key that matters on a page, as the footer and the help tell it."""

    key: str
    label: str
    help: str


class Page:
    """A page by itself shows nothing, takes no key and reads nothing."""

    name: ClassVar[str] = ""
    says: ClassVar[str] = ""  # what it is for, in the help
    source: ClassVar[Source] = Source.BOOKS

    def body(self, seen: Seen, width: int, height: int) -> list[Line]:
        """Its lines, `width` cells wide; those beyond `height` are not shown."""
        raise NotImplementedError

    def see(self, seen: Seen) -> None:
        """Told at every frame, also while another page is shown: what it has to remember."""

    def hints(self) -> tuple[Hint, ...]:
        """The keys that do something here now, the most important first."""
        return ()

    @property
    def is_typing(self) -> bool:
        """Whether letters are text here and no keys."""
        return False

    def press(self, key: str, character: str | None) -> bool:
        """Take a key, or leave it to the desk's own (False). `key` is Textual's name of it."""
        return False

    def wants(self, seen: Seen, now_ns: int) -> bool:
        """Whether it has to `read` now. `now_ns` is the console's own steady clock."""
        return False

    async def read(self, source: Any, now_ns: int) -> None:
        """Read what it shows. Raises StoreError, OSError: it cannot."""

    def failed(self, text: str, now_ns: int) -> None:
        """Its reading came to nothing."""

    def leave(self) -> None:
        """Another page comes up: let go of what is large."""
