"""Keeping grounds in the evidence store, sealed as any picture, so that a restart does not blind detect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from lamplight_kit.errors import LamplightError
from lamplight_kit.seal import SealedPicture

from lamplight_detect import faults
from lamplight_detect.background import Ground, Light, Scene, kept
from lamplight_detect.camera import Watched
from lamplight_detect.decode import decode_still
from lamplight_detect.gate import Gate, Sealer, Source, View

NS_PER_S = 1_000_000_000
KEEP_EVERY_S = 600.0
DAY_S = 86_400.0


class Shelf(Protocol):
    """Where grounds are kept (`lamplight_kit.store.EvidenceStore` with the ring of keys)."""

    def put(self, key: str, sealed_jpeg: bytes) -> None:
        """Keep a picture in place of the one before; raises `Retry` while that cannot be done."""
        ...

    def get_sealed(self, key: str) -> SealedPicture:
        """Return the picture whose seal holds; KeyError where there is none, else a LamplightError."""
        ...


@dataclass(frozen=True)
class Keeper:
    """Writes the ground of each camera and light every KEEP_EVERY_S, and reads it when a camera is taken up.

    `key_of` (retention in days, camera, light) names where: one picture a light, which the next one replaces.
    """

    gate: Gate
    sealer: Sealer
    shelf: Shelf
    key_of: Callable[[int, str, str], str]
    warn: Callable[[str, str], None] = field(default=lambda _camera_id, _why: None)

    def taken_up(self, scene: Scene, view: View, watched: Watched) -> Scene:
        """Return the scene of a camera that is new here, with the grounds that were kept; a bad one starts anew."""
        grounds = {}
        for light in Light:
            try:
                ground = self._ground(light, scene, view, watched)
            except KeyError:
                continue
            except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the ground is learnt anew
                why = (
                    str(error) if isinstance(error, LamplightError) else faults.named(error, "while a ground was read")
                )
                self.warn(watched.camera_id, why)
                continue
            if ground is not None:
                grounds[light] = ground
        return scene.with_kept(grounds, view)

    def keep(self, scene: Scene, watched: Watched, at_ns: int) -> Scene:
        """Return the scene with its ground kept, where that is due; where anything fails it is due again later."""
        if scene.ground is None or 0 <= at_ns - scene.kept_ns < KEEP_EVERY_S * NS_PER_S:
            return scene
        shown = kept.shown(scene.ground, at_ns)
        if shown is None:
            return scene
        view, recent = shown
        try:
            released = self.gate.release(view, self.gate.look(view), recent)
            sealed = self.sealer.sealed(released.picture, Source(_name(watched, scene.lit), at_ns))
            self.shelf.put(self._key(watched, scene.lit), sealed)
        except LamplightError as error:
            self.warn(watched.camera_id, str(error))
        return replace(scene, kept_ns=at_ns)

    def _ground(self, light: Light, scene: Scene, view: View, watched: Watched) -> Ground | None:
        picture = self.shelf.get_sealed(self._key(watched, light))
        age_s = (view.at_ns - picture.attestation.at_ns) / NS_PER_S
        if picture.attestation.camera_id != _name(watched, light) or not 0 <= age_s <= watched.retention_days * DAY_S:
            return None
        bgr = np.asarray(decode_still(picture.jpeg))
        return kept.ground_of(bgr, picture.attestation, view.frame_hw, view.at_ns, scene.ripe_min)

    def _key(self, watched: Watched, light: Light) -> str:
        return self.key_of(watched.retention_days, watched.camera_id, light.value)


def _name(watched: Watched, light: Light) -> str:
    """Return what a ground is sealed as: no other picture of the camera, nor one of another light, passes for it."""
    return f"{watched.camera_id}/ground/{light.value}"
