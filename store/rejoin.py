"""Reading the emergency record back into the journal: before anything else at a start, each input once.

The record begins with batches that may be durable already. Batches commit whole and carry the number of their first
input, so one that ends before the journal's next input is there and is passed over, and the first that begins with it
goes on from there. Ended half-way, it is simply done again.
"""

import logging
from pathlib import Path
from typing import Final

import msgspec

from engine.session.emergency import BadRecord, ReportKept, read_kept
from engine.session.ports import Batch
from store.writer import JournalWriter

NAME: Final = "emergency.jsonl"

log = logging.getLogger("store")


class Rejoined(msgspec.Struct, frozen=True):
    """What came of an emergency record. `lost`: why not all of it is in the journal, in words; empty where it is."""

    batches: int = 0
    inputs: int = 0
    lost: str = ""


def rejoin(writer: JournalWriter, database: Path, now_ns: int) -> Rejoined:
    """Commit what the journal lacks of the record beside `database`, note that it was so, and set the record aside.

    Of a record with a damaged line what stands before that line is read back. A record of which not all could be, or
    that begins behind the journal's end, is kept aside too, and said.

    Raises:
        sqlite3.Error: the journal still cannot be written; the record stays where it is.
    """
    path = database.with_name(NAME)
    if not path.exists() or not path.stat().st_size:
        return Rejoined()
    done = _rejoin(writer, path)
    if done.lost:
        log.error("the emergency record is not all in the journal: %s", done.lost)
    elif done.inputs:
        log.warning("%d inputs of the emergency record were read back into the journal", done.inputs)
    writer.write_rejoined(done.batches, done.inputs, done.lost)
    path.rename(path.with_name(f"{NAME}.{'unread' if done.lost else 'read'}-{now_ns}"))
    return done


def _rejoin(writer: JournalWriter, path: Path) -> Rejoined:
    batches = inputs = 0
    try:
        for item in read_kept(path):
            if isinstance(item, ReportKept):
                writer.write_report(item.run_id, item.report)
                continue
            gap = _gap(item.batch, writer.next_seq)
            if gap:
                return Rejoined(batches, inputs, gap)
            if item.batch.first_seq == writer.next_seq:
                writer.write([item.batch])
                batches, inputs = batches + 1, inputs + len(item.batch.inputs)
    except BadRecord as bad:
        return Rejoined(batches, inputs, str(bad))
    return Rejoined(batches, inputs)


def _gap(batch: Batch, next_seq: int) -> str:
    """Why a batch cannot follow on the journal; empty if it can, or is there already."""
    end = batch.first_seq + len(batch.inputs)
    if batch.first_seq > next_seq:
        return f"it goes on with input {batch.first_seq}, and the journal ends before input {next_seq}"
    if batch.first_seq < next_seq < end:
        return f"its inputs {batch.first_seq} to {end - 1} are in the journal in part, up to {next_seq - 1}"
    return ""
