"""Naming a fault by its class alone: its text may quote what it was raised over."""

from __future__ import annotations


def named(error: BaseException, where: str) -> str:
    """Return a reason that names the class of `error` and where it was met, and never its text."""
    return f"{type(error).__name__} {where} found, none expected; see the log and the machine's memory and disk"
