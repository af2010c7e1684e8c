"""Makes docs/console.svg from a real run: `.venv/bin/python docs/screenshot.py [SECONDS]`.

A desk runs on the built-in venue in a home of its own; the console shows it headless, and after SECONDS (default 150)
the screen is written as SVG.
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
TARGET = Path(__file__).parent / "console.svg"


async def shoot(app: ConsoleApp, seconds: float) -> str:
    """The screen as SVG after `seconds` of a running desk."""
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(seconds)
        app.beat()
        await pilot.pause()
        return app.export_screenshot(title="nightdesk run")


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
            svg = asyncio.run(shoot(ConsoleApp(session, Bridge(actor="operator")), seconds))
        finally:
            session.stop("screenshot taken")
            engine.join()
            store.close()
            lock.release()
    TARGET.write_text(FONTS_FROM_OUTSIDE.sub("", svg))
    print(f"wrote {TARGET.name}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 150)
