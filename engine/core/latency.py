"""How long a message is on its way to the broker: most take a little of the usual range, a few are slow.

Each message has its own draw (`engine.core.draw`), so that one more message shifts no other's.
"""

from engine.core import draw, money
from engine.core.config import PaperModel


def latency_ns(model: PaperModel, seed: int, what: str, *keys: str | int) -> int:
    """Nanoseconds from sending to taking effect; `what` is submit, cancel or amend, `keys` name the message.

    Uniform between the model's least and largest latency; with the chance `slow_share` uniform over `latency_ns_slow`
    beyond the largest instead. The mean of the shipped model is 102 ms.
    """
    if model.slow_share and draw.below(money.SCALE, seed, f"slow {what}", *keys) < model.slow_share:
        return model.latency_ns_max + draw.between(0, model.latency_ns_slow, seed, what, *keys)
    return draw.between(model.latency_ns_min, model.latency_ns_max, seed, what, *keys)
