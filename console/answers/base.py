"""What all answers have in common."""

import msgspec


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the answers declared here: these keys and no others."""


class Refused(Answer, frozen=True):
    """Any command that could not do its work: why, and the exit code."""

    error: str
    exit_code: int
