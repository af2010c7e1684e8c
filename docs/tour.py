"""Makes docs/console.svg and the tour in docs/tour from a real run: `.venv/bin/python docs/tour.py [SECONDS]`.

A desk runs on the built-in venue in a home of its own for SECONDS (default 240); then the console shows it headless,
page by page, each after the keys that lead there, and every screen is written as SVG.
"""

import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path

from console.app import Bridge, ConsoleApp
from console.assemble import EngineThread
from console.options import RunOptions
from engine.session.clock import WallClock
from engine.session.config import load
from engine.session.home import Home
from engine.session.lock import DeskLock, Holder
from store.desk import open_store

SIZE = (132, 40)
FONTS_FROM_OUTSIDE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
FIRST = Path(__file__).parent / "console.svg"
TOUR = Path(__file__).parent / "tour"
LOOKS = 8


SCENES = {
    "desk": (),
    "signals": ("2",),
    "refused": ("slash", *"heat", "enter", "enter"),
    "orders": ("3",),
    "trades": ("tab", "tab", "s"),
    "risk": ("4",),
    "performance": ("5",),
    "audit": ("6",),
    "validation": ("7",),
    "log": ("8",),
    "menu": ("1", "colon"),
    "help": ("escape", "question_mark"),
    "kill": ("escape", "K"),
}
"""Each screen of the tour and the keys that lead there from the one before."""


async def shoot(app: ConsoleApp, seconds: float) -> dict[str, str]:
    """Every scene as SVG, after `seconds` of a running desk."""
    shots = {}
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(seconds)
        for name, keys in SCENES.items():
            await pilot.press(*keys)
            for _ in range(LOOKS):  # what a page reads from the books comes a moment later
                app.beat()
                await asyncio.sleep(0.2)
            app.draw()
            await pilot.pause()
            shots[name] = app.export_screenshot(title="nightdesk run")
    return shots


def main(seconds: float) -> None:
    os.environ["COLORTERM"] = "truecolor"
    with tempfile.TemporaryDirectory() as folder:
        home = Home.at(Path(folder), "paper")
        home.create()
        config = load("paper")
        options = RunOptions(
            env="paper",
            home=home,
            venue="sim",
            broker="paper",
            data=(),
            symbols=config.desk.symbols,
            strategy="default",
            duration_ns=600 * 10**9,
            speed=1,
            seed=config.desk.seed,
            headless=False,
            keep_positions=False,
            json=False,
        )
        lock = DeskLock.acquire(home.lock, Holder(os.getpid()))
        store = open_store(home.database, "paper", WallClock())
        engine = EngineThread(config, options, lock, store)
        session = engine.start()
        try:
            bridge = Bridge(actor="operator", books=home.database)
            shots = asyncio.run(shoot(ConsoleApp(session, bridge), seconds))
        finally:
            session.stop("screenshot taken")
            engine.join()
            store.close()
            lock.release()
    for name, svg in shots.items():
        path = FIRST if name == "desk" else TOUR / f"{name}.svg"
        path.write_text(FONTS_FROM_OUTSIDE.sub("", svg))
        print(f"wrote {path.name}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 240)
