"""The console in a browser on this machine, behind a token."""

import asyncio
import secrets  # noqa: TID251 - a token asks for what nobody can guess; it decides nothing
import signal
import socket
from typing import Final

from aiohttp import web

from console import say
from console.commands.where import Where
from console.exits import Exit, Quit
from console.web.guard import Guard
from engine.session.remote import socket_of

HOST: Final = "127.0.0.1"
PORT_MAX: Final = 65_535
INSTALL: Final = "serve needs the optional library textual-serve: pip install 'nightdesk[web]'"


def serve(where: Where, port: int, *, operator: bool) -> Exit:
    """Serve consoles on the running desk until it is told to end; each page is an attached console of its own.

    Raises:
        NotRunning: there is no desk to begin with.
    """
    if not 0 <= port <= PORT_MAX:
        raise Quit(Exit.USAGE, f"--port: must lie between 0 (any free one) and {PORT_MAX}")
    socket_of(where.home)
    try:
        from console.web.server import console_command
    except ImportError as missing:
        raise Quit(Exit.ERROR, INSTALL) from missing
    command = console_command(where.home.root, where.home.env, operator=operator)

    try:
        asyncio.run(_serve(command, port))
    except OSError as failure:
        raise Quit(Exit.ERROR, f"cannot listen on {HOST}:{port}: {failure.strerror or failure}") from failure
    return Exit.DONE


async def _serve(command: str, port: int) -> None:
    from console.web.server import GuardedServer

    with socket.create_server((HOST, port)) as listener:
        port = listener.getsockname()[1]
        token = secrets.token_urlsafe(32)
        runner = web.AppRunner(
            await GuardedServer(command, Guard(token, port)).make_app(), access_log=None, shutdown_timeout=2.0
        )
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            say.line(f"http://{HOST}:{port}/?token={token}")
            say.aside("open this address in a browser on this machine; Ctrl-C ends it, the desk goes on")
            await _told_to_end()
        finally:
            await runner.cleanup()


async def _told_to_end() -> None:
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    await over.wait()
