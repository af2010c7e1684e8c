"""textual-serve behind the guard: one attached console, a process of its own, for each page that is open."""

import sys
from pathlib import Path
from shlex import join
from typing import Any, Final

import aiohttp_jinja2
from aiohttp import web
from textual_serve.server import Server

from console.web.guard import Guard

CONSOLES_MAX: Final = 8


class GuardedServer(Server):
    """Serves consoles on one desk to whoever the guard lets in."""

    def __init__(self, command: str, guard: Guard) -> None:
        super().__init__(command, title="Nightdesk")
        self._guard = guard
        self._open = 0

    async def make_app(self) -> web.Application:
        """The application, whose every request passes the guard."""
        app = await self._make_app()
        app.middlewares.insert(0, self._guard.middleware())
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the command does."""

    async def handle_index(self, request: web.Request) -> Any:
        """The page, with addresses as the browser sees them: behind a tunnel the port is another one."""
        context = {
            "font_size": 16,
            "app_websocket_url": f"ws://{request.host}/ws",
            "config": {"static": {"url": "/static/"}},
            "application": {"name": self.title},
        }
        return aiohttp_jinja2.render_template("app_index.html", request, context)

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        if self._open >= CONSOLES_MAX:
            raise web.HTTPServiceUnavailable(text=f"{CONSOLES_MAX} consoles are open already\n")
        self._open += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._open -= 1


def console_command(home: Path, env: str, *, operator: bool) -> str:
    """The command line of one console, for a shell."""
    role = "operator" if operator else "viewer"
    return join([sys.executable, "-P", "-m", "console.web.child", str(home.absolute()), env, role])
