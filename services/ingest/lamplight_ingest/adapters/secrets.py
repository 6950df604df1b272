"""Credentials by reference: a file in the secrets folder, or a variable of the environment; read when needed."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lamplight_ingest.model import SourceRefused

ENV_PREFIX = "LAMPLIGHT_SECRET_"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_MAX_BYTES = 4096


@dataclass(frozen=True)
class Credentials:
    """A user and a password; shown nowhere."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    @property
    def known(self) -> tuple[str, ...]:
        """Return what must stand in no text: the password, and what a server hears of it by Basic authentication."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return (self.password, token, token.rstrip("="))


@dataclass(frozen=True)
class Secrets:
    """Where secrets are looked for: `folder/<name>`, then `LAMPLIGHT_SECRET_<NAME>`; both hold `user:password`."""

    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    def credentials(self, name: str) -> Credentials | None:
        """Return what secret `name` holds, None for an empty name; raises `SourceRefused` where it cannot be had."""
        if not name:
            return None
        variable = ENV_PREFIX + name.upper().replace("-", "_")
        text = self._file(name) if _NAME.fullmatch(name) else None
        text = self.environment.get(variable) if text is None else text
        if text is None:
            where = f"{self.folder / name} or {variable}" if self.folder else variable
            message = f"secret {name}: nothing found, user:password expected in {where}"
            raise SourceRefused(message)
        user, colon, password = text.strip("\r\n").partition(":")
        if not colon or not user:
            message = f"secret {name}: no user:password found in it; write one line, user, a colon, password"
            raise SourceRefused(message)
        return Credentials(user, password)

    def _file(self, name: str) -> str | None:
        if self.folder is None:
            return None
        try:
            with (self.folder / name).open("rb") as file:
                return file.read(_MAX_BYTES).decode("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeError) as error:
            message = f"secret {name}: {type(error).__name__} found, a readable text file expected; check its rights"
            raise SourceRefused(message) from None
