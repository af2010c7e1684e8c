"""What can be made to go wrong at the simulated venue. Set over `/sim/faults`; a venue starts without faults."""

import msgspec


class Faults(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Switches and counters. A counter is used up one by one, a switch stays until it is set back.

    `mute` stops everything the sockets send, `mute_but_pong` everything but the answers to pings. `refuse_sockets`
    ends every new socket before its handshake. `delay_ms` holds back every REST reply. The next `request_lost` orders
    end in a reset before the venue has seen them, the next `reply_lost` orders in a reset after it accepted them; the
    next `cancel_reply_lost` cancels likewise. The next `reject_next` orders get `reject_code`; the next `limit_next`
    REST calls of any kind get 10005; the next `error_500_next` an HTTP 500. `duplicate_push` sends each private push
    twice. The next `garble_next` public pushes are cut in half. `skew_ms` shifts the venue's stated time.
    """

    mute: bool = False
    mute_but_pong: bool = False
    refuse_sockets: bool = False
    delay_ms: int = 0
    request_lost: int = 0
    reply_lost: int = 0
    cancel_reply_lost: int = 0
    reject_next: int = 0
    reject_code: int = 20003
    limit_next: int = 0
    error_500_next: int = 0
    duplicate_push: bool = False
    garble_next: int = 0
    skew_ms: int = 0

    def take(self, counter: str) -> bool:
        """Use up one of `counter`; False when none is left."""
        left: int = getattr(self, counter)
        if left <= 0:
            return False
        setattr(self, counter, left - 1)
        return True
