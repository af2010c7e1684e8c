"""A validation protocol between two runs, for whoever asks a stopped desk."""

from console.commands.where import Where
from engine.core.view import ProtocolView
from engine.review.protocols import PROTOCOLS
from engine.session.validation import protocol_view
from store.database import holds_desk
from store.evidence import gather
from store.verdicts import protocols


def standing(where: Where) -> ProtocolView | None:
    """The protocol of a stopped desk that has begun and not ended; None where there is none.

    Raises:
        StoreError: the books cannot be read.
    """
    path = where.home.database
    begun = next((one for one in protocols(path) if not one.verdict_row), None) if holds_desk(path) else None
    if begun is None or begun.terms.protocol not in PROTOCOLS:
        return None
    return protocol_view(PROTOCOLS[begun.terms.protocol], gather(path, begun.terms, begun.row))
