"""Kafka in the user's words: what goes wrong with it is an error of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import KafkaError
from lamplight_kafka_local import JarError, JavaNotFoundError, KafkaFailedError
from lamplight_kit.kafka.producer import UncleanError

from lamplight_cli.errors import CallFailedError


@contextmanager
def speaking_to(kafka: str) -> Iterator[None]:
    """Do what needs the Kafka at `kafka`; raises `CallFailedError` where it is away or says no."""
    try:
        yield
    except BrokenPipeError:  # of our own output: whoever read it has seen enough
        raise
    except (KafkaError, UncleanError, OSError) as error:
        said = str(error) or type(error).__name__
        text = f"Kafka at {kafka}: {said}; is it there? `lamplight doctor` says, LAMPLIGHT_KAFKA_BOOTSTRAP_SERVERS sets"
        raise CallFailedError(text) from error


@contextmanager
def starting_one() -> Iterator[None]:
    """Do what starts a Kafka of its own; raises `CallFailedError` where that cannot be."""
    try:
        yield
    except (JarError, JavaNotFoundError, KafkaFailedError) as error:
        raise CallFailedError(str(error)) from error
