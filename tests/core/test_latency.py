"""How long messages are on their way: in their range, a few of them slow, and always the same for the same seed."""

from engine.core.config import PaperModel
from engine.core.latency import latency_ns
from engine.core.money import SCALE

MS = 1_000_000
SHIPPED = PaperModel(slow_share=SCALE // 100, latency_ns_slow=260 * MS)


def drawn(model: PaperModel, what: str = "submit", seed: int = 7, count: int = 20_000) -> list[int]:
    return [latency_ns(model, seed, what, number) for number in range(count)]


def test_most_messages_take_the_usual_range_and_one_in_a_hundred_longer() -> None:
    found = drawn(SHIPPED)
    assert min(found) >= 60 * MS and max(found) <= 400 * MS
    slow = [each for each in found if each > 140 * MS]
    assert 150 < len(slow) < 250 and max(slow) > 380 * MS
    assert 100 * MS < sum(found) // len(found) < 104 * MS


def test_without_a_slow_share_none_is_slow() -> None:
    assert max(drawn(PaperModel(latency_ns_slow=260 * MS))) <= 140 * MS


def test_each_purpose_has_its_own_draws_and_the_same_seed_repeats_them() -> None:
    assert drawn(SHIPPED, count=50) == drawn(SHIPPED, count=50)
    assert len({tuple(drawn(SHIPPED, what, count=50)) for what in ("submit", "cancel", "amend")}) == 3
    assert drawn(SHIPPED, seed=8, count=50) != drawn(SHIPPED, count=50)
