"""`lamplight deadletter list|show|replay|drop`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from lamplight_cli.commands import options
from lamplight_cli.output import say, say_json, say_rows

SUFFIX = ".deadletter"
_LETTER = click.argument("letter_id", metavar="LETTER")
_STAGE = click.argument("stage")


@click.group(name="deadletter")
def command() -> None:
    """Look at messages that could never be handled; STAGE is the service, LETTER as `list` shows it."""


@command.command(name="list")
@click.argument("stage", required=False, default="")
@options.data
@options.as_json
def list_(stage: str, data: Path, *, as_json: bool) -> None:
    """List the letters that wait, of one STAGE or of all."""
    from lamplight_kit.kafka.deadletter import list_letters  # noqa: PLC0415 - imports Kafka's client

    from lamplight_cli.adapters.bus import speaking_to  # noqa: PLC0415 - as above

    bus = options.bus(options.where(data), "deadletter")
    with speaking_to(bus.bootstrap_servers):
        lines = [_line(letter) for topic in _topics(stage) for letter in list_letters(bus, topic)]
    if as_json:
        for line in lines:
            say_json(line)
        return
    names = ("letter", "stage", "topic", "partition", "offset", "attempts", "error")
    say_rows(names, [[line[name] for name in names] for line in lines], "no dead letters")


@command.command(name="show")
@_STAGE
@_LETTER
@options.data
@options.as_json
def show(stage: str, letter_id: str, data: Path, *, as_json: bool) -> None:
    """Show one letter with its headers, and its content where that is text; pictures and vectors by their size."""
    from lamplight_kit.kafka.deadletter import show_letter  # noqa: PLC0415 - imports Kafka's client

    from lamplight_cli.adapters.bus import speaking_to  # noqa: PLC0415 - as above

    bus = options.bus(options.where(data), "deadletter")
    with speaking_to(bus.bootstrap_servers):
        letter = show_letter(bus, _topics(stage)[0], letter_id)
    line = {**_line(letter), "headers": dict(letter.headers), "content": _content(letter)}
    if as_json:
        say_json(line)
        return
    for name, value in line.items():
        say(f"{name:10} {value}")


@command.command(name="replay")
@_STAGE
@_LETTER
@options.data
@options.as_json
def replay(stage: str, letter_id: str, data: Path, *, as_json: bool) -> None:
    """Put the letter's message back where it came from, to be handled again."""
    from lamplight_kit.kafka.deadletter import replay_letter  # noqa: PLC0415 - imports Kafka's client

    from lamplight_cli.adapters.bus import speaking_to  # noqa: PLC0415 - as above

    bus = options.bus(options.where(data), "deadletter")
    with speaking_to(bus.bootstrap_servers):
        line = _line(replay_letter(bus, _topics(stage)[0], letter_id))
    if as_json:
        say_json({**line, "replayed": True})
    else:
        say(f"{letter_id}: written back to {line['topic']}, partition {line['partition']}")


@command.command(name="drop")
@_STAGE
@_LETTER
@options.data
@options.as_json
def drop(stage: str, letter_id: str, data: Path, *, as_json: bool) -> None:
    """Strike the letter out: nothing waits for it any more."""
    from lamplight_kit.kafka.deadletter import drop_letter  # noqa: PLC0415 - imports Kafka's client

    from lamplight_cli.adapters.bus import speaking_to  # noqa: PLC0415 - as above

    bus = options.bus(options.where(data), "deadletter")
    with speaking_to(bus.bootstrap_servers):
        line = _line(drop_letter(bus, _topics(stage)[0], letter_id))
    if as_json:
        say_json({**line, "dropped": True})
    else:
        say(f"{letter_id}: dropped")


def _topics(stage: str) -> Sequence[str]:
    from lamplight_contracts.topics import load  # noqa: PLC0415 - reads a file

    topics = [name for name in load().by_name if name.endswith(SUFFIX)]
    stages = [name.removesuffix(SUFFIX) for name in topics]
    if stage and stage not in stages:
        message = f"stage {stage!r} found, one of {', '.join(stages)} expected"
        raise click.BadParameter(message)
    return [f"{stage}{SUFFIX}"] if stage else topics


def _line(letter: Any) -> Mapping[str, Any]:
    return {
        "kind": "deadletter",
        "letter": letter.letter_id,
        "stage": letter.stage,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": letter.key.decode(errors="replace") if letter.key else "",
        "attempts": letter.attempts,
        "at_ms": letter.at_ms,
        "error": letter.error,
    }


def _content(letter: Any) -> Any:
    from google.protobuf.json_format import MessageToDict  # noqa: PLC0415 - imported when it runs
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - as above
    from lamplight_kit.kafka.codec import message_class  # noqa: PLC0415 - imports Kafka's client
    from lamplight_kit.kafka.types import HEADER_TYPE  # noqa: PLC0415 - as above

    kind = message_class(letter.headers.get(HEADER_TYPE, ""))
    if letter.value is None or kind is None:
        return f"<{len(letter.value or b'')} bytes>"
    try:
        message = kind.FromString(letter.value)
    except DecodeError:
        return f"<{len(letter.value)} bytes that are no {kind.DESCRIPTOR.full_name}>"
    return _without_bytes(MessageToDict(message, preserving_proto_field_name=True), message)


def _without_bytes(fields: dict[str, Any], message: Any) -> dict[str, Any]:
    for field, value in message.ListFields():
        if field.type == field.TYPE_BYTES:
            fields[field.name] = f"<{len(value)} bytes>"
    return fields
