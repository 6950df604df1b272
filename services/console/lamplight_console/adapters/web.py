"""The web server as a part of the service: uvicorn on a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvicorn
from fastapi import FastAPI
from lamplight_kit.errors import SettingsError

from lamplight_console.hub import Hub


class Web:
    """Serves an application; `port` is the one in force."""

    name = "page"

    def __init__(self, app: FastAPI, hub: Hub, listen: str) -> None:
        """Bind `listen` (host:port, port 0: any); nothing is served until `start`."""
        host, _, port = listen.rpartition(":")
        try:
            self._socket = socket.create_server((host, int(port)))
        except (OSError, ValueError) as error:
            text = f"page_listen {listen!r}: {error}; a free host:port expected; set LAMPLIGHT_PAGE_LISTEN"
            raise SettingsError(text) from error
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        self._server = _Server(config)
        self._hub = hub
        self._thread = threading.Thread(target=self._serve, name="page", daemon=True)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def unready(self) -> str | None:
        """Say whether requests are answered yet."""
        return None if self._server.started else "the web server has not started"

    def stop(self, timeout_s: float) -> None:
        """Give running requests two seconds, then end."""
        self._server.should_exit = True
        self._thread.join(timeout_s)
        self._socket.close()

    def _serve(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._hub.open(asyncio.get_running_loop())
        await self._server.serve(sockets=[self._socket])


class _Server(uvicorn.Server):
    def install_signal_handlers(self) -> None:
        """Leave signals to the service."""
