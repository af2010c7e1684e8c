"""The exit codes other programs rely on, and the one exception that carries one."""

from enum import IntEnum


class Exit(IntEnum):
    DONE = 0
    ERROR = 1  # an error or a safety stop
    USAGE = 2  # wrong usage or configuration
    ALREADY_RUNNING = 3
    NOT_RUNNING = 4
    FAILED_CHECK = 5  # a verdict of FAIL or a failed verification


class Quit(Exception):
    """End the command with `code`, saying `text`."""

    def __init__(self, code: Exit, text: str) -> None:
        super().__init__(text)
        self.code = code
