"""The folder that a system on this machine lives in: one `lamplight up` at a time, its tokens, ports and state."""

from __future__ import annotations

import fcntl
import json
import os
import random
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamplight_kit import user_yaml
from lamplight_kit.errors import SettingsError, Stop
from lamplight_kit.rpc import sha256_of
from ruamel.yaml.error import YAMLError

# Below what Linux (32768) and macOS (49152) hand out to outgoing connections, so that a port chosen now is free later.
_PORTS = range(20_000, 32_000)


OWN_CALLERS = ("local", "services")
_CALLERS = (
    "# Who may call, by the sha256 of their token. lamplight up writes the callers local and services;\n"
    "# add others, with role viewer, operator, admin or auditor: they stay.\n"
)


class AlreadyRunningError(Stop):
    """Another `lamplight up` holds the folder."""


class NotRunningError(SettingsError):
    """No `lamplight up` runs on the folder."""


@dataclass(frozen=True)
class Folder:
    """The folder at `path` (default `.lamplight`); what names a token in it is readable by its owner alone."""

    path: Path

    def file(self, name: str) -> Path:
        """Return the path of `name` in the folder."""
        return self.path / name

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for this process until the block ends; `AlreadyRunningError` where another one does."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = self.file("lock").open("a+")
        except OSError as error:
            message = f"folder {self.path}: {error.strerror} found, a folder to write to expected; choose one by --data"
            raise SettingsError(message) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                message = (
                    f"folder {self.path}: in use by process {lock.read().strip() or '?'}, one `lamplight up` a folder "
                    "expected; end that one by Ctrl-C, or choose another folder by --data"
                )
                raise AlreadyRunningError(message) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield
            finally:
                self.file("state.json").unlink(missing_ok=True)

    def tokens(self) -> tuple[str, str]:
        """Return the person's token and the services' token; made once, with `tokens.yaml` that services read."""
        tokens = (self._token("token"), self._token("service-token"))
        lines = [
            f"- {{name: {name}, role: admin, token_sha256: {sha256_of(token)}}}\n"
            for name, token in zip(OWN_CALLERS, tokens, strict=True)
        ]
        path = self.file("tokens.yaml")
        _write(path, f"{_CALLERS}{''.join(lines)}{_others(path)}")
        return tokens

    def ports(self, names: Sequence[str]) -> Mapping[str, int]:
        """Return a free port for each name: the same as last time where it is still free."""
        path = self.file("ports.json")
        before: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        chosen: dict[str, int] = {}
        for name in names:
            port = before.get(name, 0)
            taken = {*chosen.values(), *(other for known, other in before.items() if known != name)}
            chosen[name] = port if port and _is_free(port) else _free_port(taken)
        _write(path, json.dumps(chosen, indent=1))
        return chosen

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Tell other commands where everything is; whole or not at all."""
        _write(self.file("state.json"), json.dumps(state, indent=1))

    def read_state(self) -> Mapping[str, Any]:
        """Return what the running `lamplight up` wrote; `NotRunningError` where none runs."""
        try:
            state: Mapping[str, Any] = json.loads(self.file("state.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            state = {}
        if not state or not self._is_held():
            message = (
                f"folder {self.path}: no running `lamplight up` found; start one, name its folder by --data or "
                "LAMPLIGHT_DATA, or name a system by LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS, LAMPLIGHT_TOKEN and the "
                "services' LAMPLIGHT_…_ADDRESS"
            )
            raise NotRunningError(message)
        return state

    def _is_held(self) -> bool:
        try:
            lock = self.file("lock").open("a+")
        except OSError:
            return False
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def _token(self, name: str) -> str:
        path = self.file(name)
        if not path.exists():
            _write(path, secrets.token_urlsafe(32))
        return path.read_text(encoding="utf-8").strip()


def _others(path: Path) -> str:
    """Return the callers that a user has added to a tokens file, as YAML. Raises `SettingsError` where it is none."""
    try:
        entries = user_yaml.load(path.read_text(encoding="utf-8"), "safe") if path.exists() else None
    except YAMLError as error:
        message = f"{path}: not YAML ({error}), a list of callers expected; mend it, or remove it"
        raise SettingsError(message) from None
    if entries is not None and not isinstance(entries, list):
        message = f"{path}: {type(entries).__name__} found, a list of callers expected; mend it, or remove it"
        raise SettingsError(message)
    added = [entry for entry in entries or () if not (isinstance(entry, dict) and entry.get("name") in OWN_CALLERS)]
    return "".join(f"- {json.dumps(entry)}\n" for entry in added)


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.touch(mode=0o600)
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _free_port(taken: set[int]) -> int:
    # Chance keeps two folders that start at once apart.
    candidates = random.SystemRandom().sample(_PORTS, 200)
    for port in candidates:
        if port not in taken and _is_free(port):
            return port
    message = f"no free port found between {_PORTS.start} and {_PORTS.stop}, one expected; end what holds them"
    raise Stop(message)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
