"""The command line with the patience of a test: how soon a desk answers is measured in `benchmarks/`.

Run it as `python -m console`; whatever it asks a desk may take as long as something may take that has to happen.
"""

import socket
import sys

from console.cli import main
from tests.steady import PATIENCE


class PatientSocket(socket.socket):
    """Waits for an answer longer than it is told to."""

    def settimeout(self, value: float | None) -> None:
        super().settimeout(value if value is None else max(value, PATIENCE))


if __name__ == "__main__":
    socket.socket = PatientSocket  # type: ignore[misc]
    sys.exit(main(sys.argv[1:]))
