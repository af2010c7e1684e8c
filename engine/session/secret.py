"""A secret that cannot be printed by accident."""

from typing import Final, Never

MASK: Final = "***"


class Secret:
    """Holds a text and shows `***` wherever it is printed, formatted or logged; it refuses to be pickled.

    Only the signer calls `reveal`. Python cannot wipe a string from memory; this guards outputs, not memory.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __reduce__(self) -> Never:
        raise TypeError("a secret is not written anywhere")
