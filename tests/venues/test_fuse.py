"""The fuse: its states as a table, on a clock that moves when told to."""

import pytest

from engine.venues.errors import RateLimited
from engine.venues.fuse import Fuse, FuseOpen, FuseState


class Service:
    """A fuse on its own clock, and a service that works or does not."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.fuse = Fuse(lambda: self.now_s)

    def step(self, what: str) -> str:
        """`ok` and `fail` are calls, a number lets seconds pass; what came of it."""
        if what not in ("ok", "fail"):
            self.now_s += float(what)
            return self.fuse.state.value
        try:
            self.fuse.admit("/x")
        except FuseOpen:
            return "refused"
        self.fuse.succeeded() if what == "ok" else self.fuse.failed()
        return self.fuse.state.value


@pytest.mark.parametrize(
    ("steps", "states"),
    [
        ("ok ok", "closed closed"),
        ("fail fail ok", "closed closed closed"),
        ("fail fail ok fail fail", "closed closed closed closed closed"),  # a success forgets
        ("fail fail fail", "closed closed open"),
        ("fail fail fail ok fail", "closed closed open refused refused"),
        ("fail fail fail 59.9 ok", "closed closed open open refused"),
        ("fail fail fail 60 ok ok", "closed closed open half_open closed closed"),
        ("fail fail fail 60 fail ok", "closed closed open half_open open refused"),
        ("fail fail fail 60 fail 60 ok", "closed closed open half_open open half_open closed"),
        ("fail fail fail 60 ok fail fail", "closed closed open half_open closed closed closed"),
    ],
)
def test_the_whole_life_of_a_fuse(steps: str, states: str) -> None:
    service = Service()
    assert [service.step(what) for what in steps.split()] == states.split()


def opened() -> Service:
    service = Service()
    for _ in range(3):
        service.step("fail")
    return service


def test_an_open_fuse_says_how_long_it_rests_and_counts_as_definitely_not_sent() -> None:
    service = opened()
    service.now_s += 20
    with pytest.raises(RateLimited) as refused:
        service.fuse.admit("/market/kline")
    assert refused.value.retry_after_s == 40
    assert "/market/kline: not asked, 3 calls in a row have failed" in str(refused.value)


def test_half_open_one_call_tries_and_the_others_wait_for_its_end() -> None:
    service = opened()
    service.now_s += 60
    service.fuse.admit("/x")
    with pytest.raises(FuseOpen):
        service.fuse.admit("/y")
    service.fuse.succeeded()
    service.fuse.admit("/y")
    assert service.fuse.state is FuseState.CLOSED


def test_a_trial_that_was_given_up_leaves_the_next_one_its_turn() -> None:
    service = opened()
    service.now_s += 60
    service.fuse.admit("/x")
    service.fuse.abandoned()
    service.fuse.admit("/x")
    assert service.fuse.state is FuseState.HALF_OPEN
