"""The desk's books: what they are able to hold."""

import pytest

from engine.core.desk import UnsupportedMultiplier
from tests.rig import Rig, d, instrument


@pytest.mark.parametrize("multiplier", ["0.001", "100"])
def test_an_instrument_whose_multiplier_is_not_one_is_refused_by_name(multiplier: str) -> None:
    with pytest.raises(UnsupportedMultiplier, match=f"^NOTE has the multiplier {multiplier};") as refused:
        Rig(instruments=(instrument(), instrument("NOTE", multiplier=d(multiplier))))
    assert (refused.value.symbol, refused.value.multiplier) == ("NOTE", d(multiplier))


def test_an_instrument_with_the_multiplier_one_is_taken() -> None:
    rig = Rig(instruments=(instrument(multiplier=d(1)),))
    assert list(rig.engine.desk.instruments) == ["BTCUSDT"]
