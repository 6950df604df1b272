"""Which situations a live region is compared with."""

from __future__ import annotations

from collections.abc import Iterable

from lamplight.region.v1 import region_pb2
from lamplight.situation.v1 import situation_pb2
from lamplight_contracts.selectors import selects


def in_scope(situation: situation_pb2.Situation, source: region_pb2.RegionSource, camera_labels: Iterable[str]) -> bool:
    """Tell whether a region is one that `situation` is looked for in.

    Without zones a situation is looked for in whole scenes, with zones in the views of those zones; on the cameras
    that it selects. A thing's crop is compared with none: things are known by their class.
    """
    if situation.zone_ids:
        fits = source.kind == region_pb2.REGION_KIND_ZONE and not set(source.zone_ids).isdisjoint(situation.zone_ids)
    else:
        fits = source.kind == region_pb2.REGION_KIND_SCENE
    return fits and selects(situation.cameras, source.camera_id, camera_labels)
