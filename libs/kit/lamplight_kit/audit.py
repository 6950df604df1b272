"""The audit trail: who did what, ids only, one hash chain a writing process."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lamplight.audit.v1 import audit_pb2

from lamplight_kit.clock import Clock
from lamplight_kit.kafka.types import Outbox, Outgoing

if TYPE_CHECKING:
    # rpc is an extra: a process without gRPC writes no audit, and need not install it.
    from lamplight_kit.rpc.callers import Caller


class Auditor:
    """Writes this process's chain; each process start begins a chain of its own, named by replica and start."""

    def __init__(self, outbox: Outbox, replica: str, clock: Clock) -> None:
        """Write through `outbox` in the name of `replica`."""
        self._outbox = outbox
        self._clock = clock
        self._writer = f"{replica}/{uuid.uuid4().hex[:12]}"
        self._seq = 0
        self._previous = b""
        self._lock = threading.Lock()

    def refused(self, caller: Caller, method: str) -> None:
        """Add a call that the caller's role did not allow; `method` is its full name, see `RpcServer`'s on_refused."""
        self.record(caller, method, (), allowed=False)

    def record(self, caller: Caller, action: str, subject_ids: Sequence[str], *, allowed: bool = True) -> None:
        """Add one act to the chain; `subject_ids` are ids, never contents."""
        with self._lock:
            self._seq += 1
            record = audit_pb2.AuditRecord(
                writer=self._writer,
                seq=self._seq,
                at_ns=self._clock.now_ns(),
                actor=caller.name,
                role=caller.role.name.lower(),
                action=action,
                subject_ids=subject_ids,
                allowed=allowed,
                previous_sha256=self._previous,
            )
            self._previous = hashlib.sha256(record.SerializeToString(deterministic=True)).digest()
            self._outbox.put([Outgoing("audit", self._writer, record)])
