"""A region's picture is opened through its seal or not at all; a key that is not known yet is waited for, not long."""

from __future__ import annotations

from lamplight.region.v1 import region_pb2
from lamplight_kit.clock import Clock
from lamplight_kit.errors import Retry
from lamplight_kit.seal import BadSeal, KeyRing, SealedPicture, UnknownKey, verify


class PatientVerifier:
    """Verifies seals against `keys`, which another thread feeds from the topic `keys`.

    A detect replica publishes its key before its first picture, but on another topic: a region may arrive here first.
    """

    def __init__(self, keys: KeyRing, clock: Clock, wait_s: float) -> None:
        """Wait for the key of a seal at most `wait_s` seconds, counted from when it was first missed."""
        self._keys = keys
        self._clock = clock
        self._wait_s = wait_s
        self._missed_at_s: dict[str, float] = {}

    def open(self, region: region_pb2.Region) -> SealedPicture:
        """Return the picture of `region`; `Retry` while its key may still come, `BadSeal` where it will never hold."""
        try:
            picture = verify(region.picture, self._keys)
        except UnknownKey as error:
            self._wait_for(error)
            raise
        self._missed_at_s.pop(picture.key_id, None)
        attested = picture.attestation.camera_id
        if attested != region.source.camera_id:
            message = (
                f"region {region.source.region_id!r}: a picture sealed for camera {attested!r} found, one of "
                f"{region.source.camera_id!r} expected; its writer is broken, or is not detect"
            )
            raise BadSeal(message)
        return picture

    def _wait_for(self, unknown: UnknownKey) -> None:
        now_s = self._clock.monotonic_s()
        missed_at_s = self._missed_at_s.setdefault(unknown.key_id, now_s)
        if now_s - missed_at_s < self._wait_s:
            message = f"{unknown}; tried again for {self._wait_s:g} s"
            raise Retry(message) from unknown
