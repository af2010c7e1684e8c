"""What changed between two views, for observers who have the first: a few hundred bytes in place of twenty thousand.

A change is JSON. A plain value or list stands for itself; `[5]` in place of a whole number, often a time, adds 5 to it.
`{"~": {name: change, ...}}` changes some fields of a struct, keys of a map or places of a list (by index) and leaves
the others; `{"+": [...], "n": 12, "~": {...}}` is a list that got items at its front and has `n` in all, with changes
of those that were there before; `{"=": value}` is a struct or map that is new as a whole.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from engine.core.view import DeskView

NEAR: Final = 10_000  # a number that moved by less than this part of itself is told by how far it moved
FRONT_MAX: Final = 16  # so many new items at the front of a list are looked for

_decode = msgspec.json.decode


def change_of(old: Any, new: Any) -> Any:
    """What makes `new` of `old`, two values of the same place in a view; they differ."""
    if isinstance(new, msgspec.Struct) and type(old) is type(new):
        fields = ((name, getattr(old, name), getattr(new, name)) for name in new.__struct_fields__)
        return {"~": {name: change_of(was, now) for name, was, now in fields if was is not now and was != now}}
    if isinstance(new, dict) and isinstance(old, dict) and old.keys() == new.keys():
        return {"~": {key: change_of(old[key], value) for key, value in new.items() if old[key] != value}}
    if isinstance(new, tuple) and isinstance(old, tuple):
        return _change_of_items(old, new)
    if type(new) is int and type(old) is int and abs(new - old) < abs(new) // NEAR:
        return [new - old]
    return {"=": new} if isinstance(new, msgspec.Struct | dict) else new


def _change_of_items(old: Sequence[Any], new: Sequence[Any]) -> Any:
    """Item by item where they stayed or moved back by some new ones, of plain values while most are the same; else the
    whole list."""
    front = _added_in_front(old, new)
    changed = {
        str(at): change_of(was, now)
        for at, (was, now) in enumerate(zip(old, new[front:], strict=False), front)
        if was is not now and was != now
    }
    stayed = len(new) - front
    are_told = stayed == len(old) or (front and stayed < len(old))
    if are_told and (2 * len(changed) <= stayed or isinstance(new[-1], msgspec.Struct)):
        edit = {"~": changed} if changed else {}
        return edit if len(new) == len(old) and not front else {"+": new[:front], "n": len(new), **edit}
    return new


def _added_in_front(old: Sequence[Any], new: Sequence[Any]) -> int:
    """How many items `new` has before what `old` begins with; 0 if it begins with that, or none is found."""
    if not old or not new:
        return 0
    return next((at for at, item in enumerate(new[: FRONT_MAX + 1]) if item is old[0] or item == old[0]), 0)


class Follower:
    """A view that is kept up to date by its changes, as they were sent."""

    def __init__(self, whole: msgspec.Raw) -> None:
        self._tree: Any = _decode(whole)

    def view(self) -> DeskView:
        return msgspec.convert(self._tree, DeskView, strict=True)

    def follow(self, change: msgspec.Raw) -> DeskView:
        """The view after `change`.

        Raises:
            ValueError: the change does not belong to this view.
        """
        try:
            self._tree = _changed(self._tree, _decode(change))
            return self.view()
        except (KeyError, IndexError, TypeError, msgspec.MsgspecError) as wrong:
            raise ValueError(f"a change that does not belong to the view before it: {wrong!r}") from wrong


def _changed(old: Any, change: Any) -> Any:
    if type(old) is int and isinstance(change, list):
        return old + int(change[0])
    if not isinstance(change, dict):
        return change
    if "=" in change:
        return change["="]
    if isinstance(old, dict):
        return old | {name: _changed(old[name], part) for name, part in change["~"].items()}
    items = [*change.get("+", ()), *old]
    del items[change.get("n", len(items)) :]
    for at, part in change.get("~", {}).items():
        items[int(at)] = _changed(items[int(at)], part)
    return items
