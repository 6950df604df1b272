"""Milvus Lite, shared over TCP by one process: the Milvus of a machine that has none."""

from __future__ import annotations

from pathlib import Path

from lamplight_kit.errors import SettingsError, Stop
from milvus_lite.adapter.grpc.server import start_server_in_thread
from milvus_lite.exceptions import MilvusLiteError

_ONE_WORKER = 1
"""Its engine wants one writer a collection, and does not see to it: calls wait for each other."""
_GRACE_S = 2.0


class LocalMilvus:
    """A Milvus Lite server in threads of this process; a component of `lamplight_kit.service`."""

    name = "milvus"

    def __init__(self, data_dir: Path, listen: str = "127.0.0.1:0") -> None:
        """Keep the data in `data_dir` (made where it is not there) and listen on host:port, port 0: any."""
        host, _, port = listen.rpartition(":")
        if not host or not port.isdecimal():
            message = f"milvus_listen {listen!r} found, host:port expected; set LAMPLIGHT_MILVUS_LISTEN"
            raise SettingsError(message)
        self._data_dir, self._host, self._wanted_port = data_dir, host, int(port)
        self._running: tuple[object, object] | None = None
        self.port = 0

    def start(self) -> None:
        """Serve; raises `Stop` where the folder is in use or the address cannot be had."""
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            server, database, self.port = start_server_in_thread(
                str(self._data_dir), self._host, self._wanted_port, max_workers=_ONE_WORKER
            )
        except (MilvusLiteError, RuntimeError, OSError) as error:
            where = f"{self._data_dir} at {self._host}:{self._wanted_port}"
            message = (
                f"Milvus Lite could not serve {where}: {error}; end the other process, or set another folder or port"
            )
            raise Stop(message) from error
        self._running = (server, database)

    @property
    def url(self) -> str:
        """Where it serves, for LAMPLIGHT_MILVUS_URI."""
        return f"http://{self._host}:{self.port}"

    def unready(self) -> str | None:
        """Say why it does not serve, or None where it does."""
        return None if self._running is not None else "not started"

    def stop(self, timeout_s: float) -> None:
        """Finish the calls in hand and close the files."""
        if self._running is not None:
            (server, database), self._running = self._running, None
            server.stop(grace=min(_GRACE_S, timeout_s)).wait(timeout_s)  # type: ignore[attr-defined]  # untyped library
            database.close()  # type: ignore[attr-defined]  # untyped library
