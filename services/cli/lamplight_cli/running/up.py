"""`lamplight up`: the whole system on this machine, from the first fetched file to the last ended process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lamplight_kit.clock import SystemClock
from lamplight_kit.errors import BadInput, LamplightError, SettingsError
from lamplight_kit.kafka.topics import create_topics
from lamplight_kit.settings import KafkaSettings
from lamplight_models import default_folder

from lamplight_cli.adapters import readiness
from lamplight_cli.adapters.bus import speaking_to, starting_one
from lamplight_cli.apply import Applied, Wishes, apply
from lamplight_cli.errors import BAD_INPUT, FAILED
from lamplight_cli.models import ensure_models
from lamplight_cli.running import parts
from lamplight_cli.running.board import Board, board
from lamplight_cli.running.folder import Folder
from lamplight_cli.running.kafka import KeptKafka
from lamplight_cli.running.process import State
from lamplight_cli.running.supervisor import Supervisor
from lamplight_cli.where import where_of

LOOK_S = 0.25
READY_WITHIN_S = 180.0


@dataclass(frozen=True)
class Wanted:
    """What the user asked for; `kafka` and `milvus` name servers that run already."""

    folder: Path
    namespace: str
    kafka: str = ""
    milvus: str = ""
    for_s: float | None = None


def up(wanted: Wanted, wishes: Wishes) -> int:
    """Run until Ctrl-C, SIGTERM or the end of `for_s`; return the exit status (`lamplight_cli.errors`)."""
    folder = Folder(wanted.folder.absolute())
    signal.signal(signal.SIGTERM, _as_interrupt)
    with folder.held(), board(sys.stderr) as shown:
        system = _System(wanted, folder, shown)
        try:
            system.start()
            return system.keep(wishes)
        except KeyboardInterrupt:
            return 0
        finally:
            with _undisturbed():
                system.drain()


class _System:
    def __init__(self, wanted: Wanted, folder: Folder, shown: Board) -> None:
        self._wanted = wanted
        self._folder = folder
        self._shown = shown
        self._clock = SystemClock()
        self._kafka: KeptKafka | None = None
        self._supervisor: Supervisor | None = None
        self._ports: Mapping[str, int] = {}
        self._token = ""
        self._service_token = ""

    def start(self) -> None:
        """Fetch what is missing, start what services stand on, then the services."""
        began_s = time.monotonic()
        told = KafkaSettings.among(namespace=self._wanted.namespace, replica="up", kafka_bootstrap_servers="")
        ensure_models()
        self._token, self._service_token = self._folder.tokens()
        own_milvus = not self._wanted.milvus and parts.installed(parts.MILVUS_PROGRAM)
        self._ports = self._folder.ports(parts.port_names(own_milvus=own_milvus))
        address = self._wanted.kafka or self._start_kafka()
        with speaking_to(address):
            create_topics(replace(told.bus(), bootstrap_servers=address))
        self._supervisor = Supervisor(self._kafka, self._clock, readiness.probe)
        around = self._around(address)
        if own_milvus:
            self._supervisor.start_below([parts.milvus(around)])
        self._supervisor.start_services(parts.services(around))
        self._folder.write_state(self._state(around))
        self._shown.say(f"up: Kafka, topics and processes started in {time.monotonic() - began_s:.1f} s")

    def keep(self, wishes: Wishes) -> int:
        """Show and restart until told to end; apply the wishes once their services are ready."""
        ending = _ending()
        began_s = self._clock.monotonic_s()
        ready_s: float | None = None
        applying = _Applying(wishes, self._folder)
        while not ending.wait(LOOK_S):
            states = self._look()
            words = {state.name: state.word for state in states}
            for line in applying.look(words):
                self._shown.say(line)
            if ready_s is None and set(words.values()) == {"ready"}:
                ready_s = self._clock.monotonic_s()
                self._say_ready(ready_s - began_s, states)
            if self._is_over(began_s, ready_s):
                return FAILED if ready_s is None else applying.status
        return applying.status

    def _look(self) -> Sequence[State]:
        if self._supervisor is None:
            raise AssertionError
        states = self._supervisor.look(lambda kafka: parts.services(self._around(kafka)))
        self._shown.show(states)
        for state in states:
            if state.word == "failed":
                message = f"{state.name} cannot start: {state.why}"
                raise SettingsError(message)
        return states

    def drain(self) -> None:
        """End everything that was started."""
        if self._supervisor is not None:
            self._shown.say("up: draining")
            self._supervisor.drain(self._shown.show)
        elif self._kafka is not None:
            self._kafka.stop()

    def _is_over(self, began_s: float, ready_s: float | None) -> bool:
        if self._wanted.for_s is None:
            return False
        now_s = self._clock.monotonic_s()
        if ready_s is None:
            return now_s - began_s > self._wanted.for_s + READY_WITHIN_S
        return now_s - ready_s > self._wanted.for_s

    def _start_kafka(self) -> str:
        self._kafka = KeptKafka(self._folder.file("kafka"), self._clock, self._shown.say)
        with starting_one():
            self._kafka.start()
        return self._kafka.address

    def _around(self, kafka: str) -> parts.Around:
        milvus = self._wanted.milvus or f"http://127.0.0.1:{self._ports.get(f'{parts.MILVUS}.grpc', 0)}"
        path = self._folder.path
        models = default_folder(os.environ)
        return parts.Around(path, kafka, self._wanted.namespace, milvus, models, self._service_token, self._ports)

    def _state(self, around: parts.Around) -> Mapping[str, Any]:
        return {
            "version": 1,
            "pid": os.getpid(),
            "kafka": around.kafka,
            "namespace": around.namespace,
            "milvus": around.milvus_uri,
            "store_url": (self._folder.path / "evidence").as_uri(),
            "token_file": str(self._folder.file("token")),
            "services": {name: f"127.0.0.1:{around.ports[f'{name}.grpc']}" for name in parts.WITH_API},
            "health": {name: f"127.0.0.1:{around.ports[f'{name}.http']}" for name in parts.SERVICES},
            "page": f"http://127.0.0.1:{around.ports['console.page']}/",
        }

    def _say_ready(self, took_s: float, states: Sequence[State]) -> None:
        self._shown.say(f"up: ready, {took_s:.1f} s after the processes were started")
        self._shown.say(
            f"up: Kafka is at {self._folder.read_state()['kafka']}, topics begin with {self._wanted.namespace}."
        )
        if any(state.name == "console" for state in states):
            page = f"http://127.0.0.1:{self._ports['console.page']}/#token={self._token}"
            self._shown.say(f"up: the page is {page}")


def _as_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _ending() -> threading.Event:
    """Return what SIGTERM and Ctrl-C set from now on, instead of breaking into whatever runs."""
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    return ending


@contextmanager
def _undisturbed() -> Iterator[None]:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    yield


class _Applying:
    """The user's files on their way to the services, in a thread of their own, since an answer takes a while."""

    def __init__(self, wishes: Wishes, folder: Folder) -> None:
        self._wishes = wishes
        self._folder = folder
        self._future: Future[Applied] | None = None
        self.status = 0

    def look(self, words: Mapping[str, str]) -> Sequence[str]:
        """Begin once the services are ready (`words`: state by name); return what there is to say, once.

        What cannot be applied is said and leaves the rest running, for it may have run well for months; `status` is
        the exit status that this makes.
        """
        if not self._wishes:
            return ()
        if self._future is None:
            if all(words.get(name) == "ready" for name in self._wishes.needs):
                self._future = Future()
                threading.Thread(target=self._run, args=(self._future,), name="apply", daemon=True).start()
            return ()
        if not self._future.done():
            return ()
        self._wishes = Wishes()
        try:
            return self._future.result().lines
        except LamplightError as error:
            self.status = BAD_INPUT if isinstance(error, BadInput) else FAILED
            again = "up: not all was applied; mend it, then apply it by `lamplight camera|rule|destination apply`"
            return (*str(error).splitlines(), again)

    def _run(self, future: Future[Applied]) -> None:
        try:
            future.set_result(apply(self._wishes, where_of(self._folder)))
        except LamplightError as error:
            future.set_exception(error)
