"""docs/alerts.md says what the table of kinds says, and every kind has its words."""

import re
from pathlib import Path

from engine.core.words import AlertKind
from engine.session.alerting.kinds import KINDS

DOC = (Path(__file__).parents[1] / "docs" / "alerts.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)


def test_every_kind_has_its_words_and_the_document_has_them_in_the_same_order() -> None:
    assert set(KINDS) == set(AlertKind)
    coded = [(k.value, w.severity.value.lower(), w.title, w.did, w.todo) for k, w in KINDS.items()]
    assert ROW.findall(DOC) == coded


def test_every_kind_says_what_was_done_and_what_to_do() -> None:
    for kind, words in KINDS.items():
        assert words.title, kind
        assert words.did, kind
        assert words.todo, kind
        assert "|" not in "".join((words.title, words.did, words.todo))
