"""A recorded run as a `Desk`: it can be looked at and moved through, and nothing can be commanded."""

import queue
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from console.actions import REFUSED
from console.seat import Seat
from console.travel.moves import Move
from console.travel.player import Player
from engine.core.view import CommandReceipt, DeskView
from engine.session.ports import CommandRequest

LOOK_SECONDS: Final = 0.1  # between two looks at the clock while it plays
QUIT_SECONDS: Final = 5.0

Wish = Callable[[Player], None]


class ReplayDesk:
    """Plays on a thread of its own, so that no screen waits for it. `start`, and `close` in the end.

    Attributes:
        fault: Why it cannot go on, with its traceback; "" while all is well.
    """

    def __init__(self, open_player: Callable[[], Player]) -> None:
        """`open_player` is called on the thread."""
        self._open = open_player
        self._wishes: queue.SimpleQueue[Wish | None] = queue.SimpleQueue()
        self._view: DeskView | None = None
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self.fault = ""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._wishes.put(None)
        self._thread.join(QUIT_SECONDS)

    def move(self, move: Move) -> None:
        self._wishes.put(lambda player: player.move(move))

    def go(self, text: str) -> None:
        self._wishes.put(lambda player: player.go(text))

    # --- as a desk ---

    def view(self) -> DeskView | None:
        return self._view

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        refused: Future[CommandReceipt] = Future()
        refused.set_result(CommandReceipt(False, REFUSED[Seat.REPLAY]))
        return refused

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        self._wishes.put(None)

    def ended(self) -> bool:
        """A recorded run stays open at its end; True once it can no longer be moved through."""
        return bool(self.fault)

    # --- the thread ---

    def _run(self) -> None:
        try:
            self._play()
        except Exception as error:  # the top of this thread: the console leaves, and says why
            self.fault = "".join(traceback.format_exception(error))

    def _play(self) -> None:
        player = self._open()
        wait_s: float | None = 0.0
        while True:
            self._view = player.view
            try:
                while (wish := self._wishes.get(timeout=wait_s)) is not None:
                    wish(player)
                    wait_s = 0.0
                return
            except queue.Empty:
                busy = player.turn()
                wait_s = None if player.rests else 0.0 if busy else LOOK_SECONDS
