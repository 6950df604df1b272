"""Who calls: bearer tokens, known by their sha256, and the roles that they stand for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from ruamel.yaml.error import YAMLError

from lamplight_kit import user_yaml
from lamplight_kit.errors import SettingsError

_BEARER = "bearer "


class Role(IntEnum):
    """What a caller may do; each of the first three may do what the ones before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3
    AUDITOR = 10

    def may(self, needed: Role) -> bool:
        """Tell whether this role covers `needed`; the auditor reads what a viewer reads, and the audit trail."""
        if self is Role.AUDITOR:
            return needed in (Role.VIEWER, Role.AUDITOR)
        return self is Role.ADMIN or (needed is not Role.AUDITOR and self >= needed)


@dataclass(frozen=True)
class Caller:
    """An authenticated caller."""

    name: str
    role: Role


@dataclass(frozen=True)
class Tokens:
    """Known callers by the sha256 of their token."""

    callers: Sequence[tuple[str, Caller]]

    @classmethod
    def read(cls, path: Path | None) -> Tokens:
        """Read a YAML list of {name, role, token_sha256}; without a path nobody is known. Raises `SettingsError`."""
        if path is None:
            return cls(())
        try:
            entries = user_yaml.load(path.read_text(encoding="utf-8"), "safe") or []
            callers = [
                (str(entry["token_sha256"]), Caller(str(entry["name"]), Role[str(entry["role"]).upper()]))
                for entry in entries
            ]
        except (OSError, UnicodeDecodeError, YAMLError, KeyError, TypeError) as error:
            message = (
                f"tokens file {path}: {type(error).__name__} {error} found, a list of {{name, role, token_sha256}} "
                "expected, role one of viewer, operator, admin, auditor; mend the file"
            )
            raise SettingsError(message) from error
        return cls(tuple(callers))

    def caller_of(self, authorization: str) -> Caller | None:
        """Return who an `Authorization: Bearer …` header names, or None; compares in constant time."""
        if not authorization.lower().startswith(_BEARER):
            return None
        given = sha256_of(authorization[len(_BEARER) :].strip())
        found = None
        for digest, caller in self.callers:
            if hmac.compare_digest(digest, given):
                found = caller
        return found


def sha256_of(token: str) -> str:
    """Return a token's sha256, hexadecimal, as the tokens file holds it."""
    return hashlib.sha256(token.encode()).hexdigest()
