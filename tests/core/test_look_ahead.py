"""No fill of any profile knows what comes later: what is yet to come can be changed, or come in another order."""

from collections.abc import Sequence
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.config import MINUTE
from engine.core.events import Bar, Book, Quote, Trade
from engine.core.facts import Amend, Cancel, ShadowFilled, Submit
from tests.core.test_paper_properties import T0, Market, Step, histories, run
from tests.core.test_shadows import shadowed


def told_until(steps: Sequence[Step], now_ns: int) -> list[object]:
    """Everything base and shadows said of the time before `now_ns`, once all of `steps` had happened."""
    broker, shadows = shadowed()
    answers = [*run(broker, list(steps)), *broker.advance(T0 + now_ns)]
    said = [*answers, *(fill for fill in shadows if isinstance(fill, ShadowFilled))]
    return [each for each in said if each.at_ns < T0 + now_ns]


def at(event: Market, after_ns: int) -> Market:
    """`event` as it would be, had it come then."""
    if isinstance(event, Bar):
        return msgspec.structs.replace(event, at_ns=T0 + after_ns, start_ns=T0 + after_ns - MINUTE)
    return msgspec.structs.replace(event, at_ns=T0 + after_ns, venue_ns=T0 + after_ns)


def split(steps: list[Step], cut: int) -> tuple[int, list[Step], list[tuple[int, Market]]]:
    """The moment of step `cut`, what happened before it, and the market from then on."""
    now_ns = steps[cut][0] if cut < len(steps) else 1 + max((step[0] for step in steps), default=0)
    past = [step for step in steps if step[0] < now_ns]
    future = [
        (after_ns, event)
        for after_ns, event in steps
        if after_ns >= now_ns and not isinstance(event, Submit | Cancel | Amend)
    ]
    return now_ns, past, future


@given(histories(), st.integers(0, 60), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_shuffling_the_future_leaves_every_earlier_fill_of_every_profile(
    steps: list[Step], cut: int, chance: Random
) -> None:
    now_ns, past, future = split(steps, cut)
    events = [event for _, event in future]
    chance.shuffle(events)
    shuffled: list[Step] = [
        (after_ns, at(event, after_ns)) for (after_ns, _), event in zip(future, events, strict=True)
    ]
    told = told_until(past, now_ns)
    assert told_until(past + shuffled, now_ns) == told
    assert told_until([*past, *future], now_ns) == told


@given(histories(), st.integers(0, 60), st.integers(2, 50))
@settings(max_examples=100, deadline=None)
def test_another_future_leaves_every_earlier_fill_of_every_profile(steps: list[Step], cut: int, times: int) -> None:
    now_ns, past, future = split(steps, cut)
    moved: list[Step] = [(after_ns, _dearer(event, times)) for after_ns, event in future]
    assert told_until(past + moved, now_ns) == told_until([*past, *future], now_ns)


def _dearer(event: Market, times: int) -> Market:
    """The same event at prices `times` as high."""
    if isinstance(event, Quote):
        return msgspec.structs.replace(event, bid=event.bid * times, ask=event.ask * times)
    if isinstance(event, Trade):
        return msgspec.structs.replace(event, price=event.price * times)
    if isinstance(event, Book):
        bids, asks = (tuple((price * times, qty) for price, qty in side) for side in (event.bids, event.asks))
        return msgspec.structs.replace(event, bids=bids, asks=asks)
    prices = {name: getattr(event, name) * times for name in ("open", "high", "low", "close")}
    return msgspec.structs.replace(event, **prices)
