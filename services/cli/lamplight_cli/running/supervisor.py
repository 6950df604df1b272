"""Keeps every process of a system running, and lets go of them in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lamplight_kit.clock import Clock

from lamplight_cli.running.kafka import KeptKafka
from lamplight_cli.running.process import KeptProcess, Probe, Specification, State

DRAIN_S = 25.0
MILVUS_DRAIN_S = 10.0


class Supervisor:
    """Kafka (where it is ours), Milvus (where it is ours) and the services; for one thread, the main one."""

    def __init__(self, kafka: KeptKafka | None, clock: Clock, probe: Probe) -> None:
        """Take a broker that has been started, or None where it is somebody else's."""
        self._kafka = kafka
        self._kafka_address = kafka.address if kafka else ""
        self._clock = clock
        self._probe = probe
        self._below: list[KeptProcess] = []
        self._services: list[KeptProcess] = []

    def start_below(self, specifications: Sequence[Specification]) -> None:
        """Start what services stand on (Milvus)."""
        self._below = self._started(specifications)

    def start_services(self, specifications: Sequence[Specification]) -> None:
        """Start the services, all at once: each waits for what it needs."""
        self._services = self._started(specifications)

    def look(self, at_address: Callable[[str], Sequence[Specification]]) -> Sequence[State]:
        """Return how each part is, after starting again what ended.

        `at_address` gives the services' specifications for Kafka's address, should that have changed.
        """
        states = [] if self._kafka is None else [self._kafka.look()]
        if self._kafka is not None and self._kafka.address != self._kafka_address:
            self._kafka_address = self._kafka.address
            _end(self._services, DRAIN_S)
            self.start_services(at_address(self._kafka_address))
        return [*states, *(process.look() for process in (*self._below, *self._services))]

    def drain(self, show: Callable[[Sequence[State]], None]) -> None:
        """End the services, then Milvus, then Kafka."""
        for group, timeout_s in ((self._services, DRAIN_S), (self._below, MILVUS_DRAIN_S)):
            _end(group, timeout_s)
            show([process.state for process in group])
        if self._kafka is not None:
            self._kafka.stop()
            show([self._kafka.state])

    def _started(self, specifications: Sequence[Specification]) -> list[KeptProcess]:
        processes = [KeptProcess(specification, self._clock, self._probe) for specification in specifications]
        for process in processes:
            process.start()
        return processes


def _end(processes: Sequence[KeptProcess], timeout_s: float) -> None:
    for process in processes:
        process.ask_to_end()
    for process in processes:
        process.wait_ended(timeout_s)
