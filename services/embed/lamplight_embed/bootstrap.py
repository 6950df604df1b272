"""Putting embed together; the only module that names adapters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog
from google.protobuf.message import Message
from lamplight.key.v1 import key_pb2
from lamplight_kit.clock import Clock, SystemClock
from lamplight_kit.kafka.stage import Stage
from lamplight_kit.kafka.table import Table, Tables
from lamplight_kit.seal import BadSeal, KeyRing
from lamplight_kit.service import Component

from lamplight_embed.adapters import opencv_pictures
from lamplight_embed.adapters.onnx_encoder import OnnxEncoder
from lamplight_embed.handler import INPUTS, EmbedHandler
from lamplight_embed.model import Encoder
from lamplight_embed.seals import PatientVerifier
from lamplight_embed.settings import EmbedSettings, EncoderSettings

_log = structlog.get_logger()


def build(settings: EmbedSettings, encoder: Encoder | None = None) -> Sequence[Component]:
    """Return the parts of the service in the order in which they start; `encoder` stands in for the model's."""
    bus = replace(settings.bus(), max_batch=settings.embed_batch)
    keys = KeyRing()

    def learn(_replica: str, message: Message | None) -> None:
        if isinstance(message, key_pb2.SigningKey):
            _add(keys, message)

    made = OnnxEncoder(settings.manifest) if encoder is None else encoder
    handler = _handler(made, keys, SystemClock(), settings.unknown_key_wait_s, settings.max_masked_share)
    return [Tables(bus, [Table("keys", learn)]), Stage(bus, "embed", INPUTS, handler)]


def local(*, keys: KeyRing, manifest: Path | None = None, clock: Clock | None = None) -> EmbedHandler:
    """Return embed's handler for one process without Kafka: give it `regions` records, take `embeddings` from it.

    `keys` is the ring that holds the local gate's public key; `manifest` the encoder's, else what the settings name.
    """
    path = manifest or EncoderSettings().manifest
    return _handler(OnnxEncoder(path), keys, clock or SystemClock(), wait_s=0.0, max_masked_share=0.8)


def _handler(encoder: Encoder, keys: KeyRing, clock: Clock, wait_s: float, max_masked_share: float) -> EmbedHandler:
    return EmbedHandler(encoder, PatientVerifier(keys, clock, wait_s), opencv_pictures.decode, max_masked_share)


def _add(keys: KeyRing, key: key_pb2.SigningKey) -> None:
    try:
        keys.add(key)
    except BadSeal as error:
        _log.error("a published key that cannot be used", replica=key.replica, error=str(error))
