"""The far side of the pty tests: a console on a scripted desk. Its first argument says how it behaves.

`plain` shows a busy desk and, once a command came, a blocked one. `deaf` ignores SIGHUP. It writes how the console was
left, and the acts it was asked for, to the file named by the second argument.
"""

import signal
import sys
from concurrent.futures import Future
from pathlib import Path

from console.app import Bridge, run_console
from engine.core.view import CommandReceipt, DeskView
from engine.session.ports import CommandRequest
from tests.console.sample_desk import BLOCKED, NOW, ScriptedDesk, changed


class AnsweringDesk(ScriptedDesk):
    """Answers at once, and is blocked from then on. It goes on beating, so that nothing on its page grows old."""

    looks = 0

    def view(self) -> DeskView | None:
        self.looks += 1
        return self.shown and changed(self.shown, at_ns=self.shown.at_ns + self.looks)

    def command(self, request: CommandRequest) -> Future[CommandReceipt]:
        answer = super().command(request)
        answer.set_result(CommandReceipt(True, "so be it", took_us=400))
        self.shown = changed(BLOCKED, at_ns=NOW + 1)
        return answer

    def stop(self, reason: str, *, keep_positions: bool = False) -> None:
        super().stop(reason, keep_positions=keep_positions)
        self.over = True


def main() -> None:
    if sys.argv[1] == "deaf":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    desk = AnsweringDesk()
    hung_up: list[str] = []
    departure = run_console(desk, Bridge(actor="anna", on_hangup=lambda: hung_up.append("hook")))
    told = [departure.left.value, *hung_up, *desk.acts, *(reason for reason, _ in desk.stops)]
    Path(sys.argv[2]).write_text(" ".join(told))
    sys.exit(1 if departure.fault else 0)


if __name__ == "__main__":
    main()
