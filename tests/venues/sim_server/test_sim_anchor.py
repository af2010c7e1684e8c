from pathlib import Path

import pytest

from engine.venues.sim.anchor import Anchor, UnusableAnchor, anchored


def test_a_market_begins_once_and_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "market.json"
    assert anchored(path, None, 1_000, 7) == Anchor(7, 1_000)
    assert anchored(path, None, 2_000, 8) == Anchor(7, 1_000)
    assert anchored(path, 7, 3_000, 8) == Anchor(7, 1_000)


def test_another_seed_is_another_market(tmp_path: Path) -> None:
    path = tmp_path / "market.json"
    anchored(path, 7, 1_000, 1)
    assert anchored(path, 9, 2_000, 1) == Anchor(9, 2_000)
    assert anchored(path, None, 3_000, 1) == Anchor(9, 2_000)


def test_without_a_file_nothing_is_kept() -> None:
    assert anchored(None, None, 1_000, 7) == Anchor(7, 1_000)


@pytest.mark.parametrize("content", ["", "{", '{"seed":"x","anchor_ns":1}', '{"seed":1}'])
def test_a_damaged_file_is_named_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "market.json"
    path.write_text(content)
    with pytest.raises(UnusableAnchor, match=r"market\.json"):
        anchored(path, 3, 1_000, 7)
    assert path.read_text() == content


def test_the_kept_market_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "market.json"
    anchored(path, 3, 1_000, 7)
    assert path.stat().st_mode & 0o777 == 0o600
