"""The interpreter's settings, which any strategy or library could change under the desk.

Nothing the desk books rests on them: money is integers, and decimals have contexts of their own. But a handler that is
gone keeps a signal from ending the desk in order, and a recursion limit that is too small breaks whatever comes next.
"""

import decimal
import faulthandler
import locale
import signal
import sys
import threading
import time
from pathlib import Path


def settings() -> dict[str, str]:
    """Every setting that is watched, in words. Handlers of signals belong to the main thread alone."""
    context = decimal.getcontext()
    traps = ", ".join(sorted(trap.__name__ for trap, is_set in context.traps.items() if is_set))
    found = {
        "recursion limit": str(sys.getrecursionlimit()),
        "limit of an integer's digits": str(sys.get_int_max_str_digits()),
        "switch interval": f"{sys.getswitchinterval():g} s",
        "decimal context": f"{context.prec} digits, {context.rounding}, traps {traps or 'nothing'}",
        "locale": locale.setlocale(locale.LC_ALL),
        "time zone": " ".join(time.tzname),
        "working directory": _working_directory(),
        "stacks of a crash": "written" if faulthandler.is_enabled() else "not written",
    }
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            found[f"handler of {number.name}"] = _named(signal.getsignal(number))
    return found


def _named(handler: object) -> str:
    """Which handler it is. Its own representation may tell where its task stands, which changes all the time."""
    if isinstance(handler, signal.Handlers):
        return handler.name
    return f"{getattr(handler, '__qualname__', type(handler).__name__)} at {id(handler):#x}"


def _working_directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed, which is no change of ours
        return "removed"


class Settings:
    """The settings as they were at first, or when a change of them was last told."""

    def __init__(self) -> None:
        self._known = settings()

    def changed(self) -> list[str]:
        """What has changed since, a sentence each; told once."""
        before, self._known = self._known, settings()
        return [
            f"the interpreter's {name} was changed from {before[name]} to {value}"
            for name, value in self._known.items()
            if name in before and value != before[name]
        ]
