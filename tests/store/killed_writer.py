"""A desk that writes until it is killed: acknowledges each durable batch on its output. Run by test_kill.py."""

import sys
import threading
from collections import deque
from concurrent.futures import Future
from pathlib import Path

from engine.core.facts import AnyFact
from engine.session.clock import VirtualClock
from engine.session.ports import Committed
from store.desk import Store, open_store
from tests.store.making import T0, batch, order, raised


def main(path: Path, run_id: str) -> None:
    store = open_store(path, "paper", VirtualClock(T0))
    threading.Thread(target=back_up_for_ever, args=(store,), daemon=True).start()
    seq = store.recovered.next_seq
    waiting: deque[tuple[int, Future[Committed]]] = deque()
    while True:
        size = 1 + seq % 40
        name = f"{run_id}-{seq}"
        facts: list[tuple[int, AnyFact]] = [(seq, raised(name)), (seq, order(f"{name}-o", signal_id=name))]
        snapshot = f"state {seq}".encode() if seq % 7 == 0 else None
        waiting.append((seq + size - 1, store.journal.commit(batch(seq, size, facts, run_id, snapshot))))
        seq += size
        if len(waiting) > 5:
            last, future = waiting.popleft()
            done = future.result()
            print(last, done.rows, done.head, flush=True)


def back_up_for_ever(store: Store) -> None:
    while True:
        store.backup()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
