"""Embed's work: redacted regions in, their vectors out, under the same key."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from lamplight.embedding.v1 import embedding_pb2
from lamplight.region.v1 import region_pb2
from lamplight_kit.errors import Refuse
from lamplight_kit.kafka.types import Outgoing, Record
from lamplight_kit.seal import SealedPicture
from numpy.typing import NDArray

from lamplight_embed import meters
from lamplight_embed.model import Encoder
from lamplight_embed.seals import PatientVerifier
from lamplight_embed.vectors import packed

INPUTS = ("regions",)

Decode = Callable[[SealedPicture], NDArray[np.uint8]]
"""Turns a sealed picture, and nothing else, into pixels [H, W, 3] in OpenCV's order of colours; may raise `Refuse`."""


class EmbedHandler:
    """The handler of stage `embed`; it keeps no state."""

    def __init__(self, encoder: Encoder, verifier: PatientVerifier, decode: Decode, max_masked_share: float) -> None:
        """Refuse a vector to regions with more than `max_masked_share` (0 to 1) under masks."""
        self._encoder = encoder
        self._verifier = verifier
        self._decode = decode
        self._max_masked_share = max_masked_share

    def restore(self, partition: int, records: Sequence[Record]) -> None:
        """Nothing: there is no state."""

    def forget(self, partition: int) -> None:
        """Nothing: there is no state."""

    def handle(self, batch: Sequence[Record]) -> Sequence[Outgoing]:
        """Return one `Embedding` for each region; a picture that cannot be embedded gives one that says why.

        Raises `Retry` while a seal's key may still be published, `Refuse` for a seal that does not hold.
        """
        return [Outgoing("embeddings", record.key, self._embedding(_region(record))) for record in batch]

    def _embedding(self, region: region_pb2.Region) -> embedding_pb2.Embedding:
        kind = region_pb2.RegionKind.Name(region.source.kind).removeprefix("REGION_KIND_").lower()
        sealed = self._verifier.open(region)
        embedding = embedding_pb2.Embedding(
            source=region.source, model_sha256=self._encoder.model_sha256, dimension=self._encoder.dimension
        )
        try:
            with meters.SECONDS.time():
                vector = self._encoder.encode(self._pixels(sealed))
        except Refuse as error:
            meters.REGIONS.labels(kind, "refused").inc()
            embedding.refused = str(error)
            return embedding
        meters.REGIONS.labels(kind, "embedded").inc()
        embedding.kind = embedding_pb2.VECTOR_KIND_POOLED
        embedding.grid_rows = embedding.grid_columns = 1
        embedding.vectors = packed(vector)
        return embedding

    def _pixels(self, sealed: SealedPicture) -> NDArray[np.uint8]:
        share = sealed.attestation.masked_share
        if share > self._max_masked_share:
            message = (
                f"{share:.0%} of the picture is masked, at most {self._max_masked_share:.0%} expected; "
                "take one with fewer people and vehicles in it"
            )
            raise Refuse(message)
        return self._decode(sealed)


def _region(record: Record) -> region_pb2.Region:
    if not isinstance(record.message, region_pb2.Region):
        message = f"{record.topic}@{record.offset}: {type(record.message).__name__} found, a Region expected"
        raise Refuse(message)
    return record.message
