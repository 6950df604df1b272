"""What detect has learnt of a camera's scene, in its last lights; values in, values out, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lamplight_detect.background.cells import in_cells, of_cells, painted_small, small_of, surprises, widened
from lamplight_detect.background.ground import RIPE_MIN, Ground
from lamplight_detect.background.light import Light, light_of
from lamplight_detect.background.still import Patch, Still, box_px
from lamplight_detect.detections import Boxes
from lamplight_detect.gate import Backdrop, Sample, Snapped, View
from lamplight_detect.gate.motion import Mask

NS_PER_S = 1_000_000_000
MOST_LIGHTS = 2
"""Grounds that are kept of a camera: the light that is, and the one before it."""
CUT_SHARE = 0.35
"""Where more of the known ground is covered, the camera was moved or the light switched: it is no foreground."""
CUT_S = 30.0
CUT_PICTURES = 5
"""A cut that lasts so long and for so many pictures is another scene: its ground starts anew."""
LEARN_GAP_S = 1.9
"""A ground learns from pictures at least so far apart: nearer ones tell it little and cost as much."""
WATCHED_GAP_S = 35.0
"""Longer gaps between pictures were not watched: an unchanged camera's pictures are up to 30 s apart."""
SOLID_S = 60.0
"""A hole in which somebody was found stays solid for so long, and is not looked into: the ground hardly changes."""
CLEAR_PX = 2
"""Pixels of the small copy around a mask that are not learnt: each holds something of its neighbours."""


@dataclass(frozen=True)
class Candidate:
    """A patch that may be nobody, and its box [1, 4] in pixels of the picture: to be looked into."""

    patch: Patch
    box_xyxy: Boxes


@dataclass(frozen=True)
class Cut:
    """A scene that does not look like its ground any more: since when, and over how many pictures."""

    since_ns: int = 0
    pictures: int = 0


@dataclass(frozen=True)
class Seen:
    """A picture against its ground: `unexplained` [h, w] is to be masked, None where nothing is known yet.

    `vouched` [h, w] shows nothing but the ground; None where that is not valid.
    """

    scene: Scene
    unexplained: Mask | None
    vouched: Mask | None = None


@dataclass(frozen=True)
class Scene:
    """The grounds by light, the newest last, and what stands before them.

    `solid_ns` is when somebody was found in what would have filled a hole, by the hole's box.
    """

    frame_hw: tuple[int, int] = (0, 0)
    light: Light | None = None
    grounds: Mapping[Light, Ground] = field(default_factory=dict)
    still: Still | None = None
    cut: Cut = Cut()
    learnt_ns: int = 0
    kept_ns: int = 0
    seen_ns: int = 0
    solid_ns: Mapping[Snapped, int] = field(default_factory=dict)
    ripe_min: int = RIPE_MIN
    learn_gap_s: float = LEARN_GAP_S

    @property
    def ground(self) -> Ground | None:
        """The ground in the light that is; None where there is none, or the scene does not look like it."""
        return None if self.light is None or self.cut.pictures else self.grounds.get(self.light)

    @property
    def valid_share(self) -> float:
        """Share of the picture that its ground vouches for."""
        ground = self.ground
        return 0.0 if ground is None else ground.valid_share

    @property
    def is_valid(self) -> bool:
        """Whether the ground vouches for the picture: what is not before it is known to be nobody's."""
        ground = self.ground
        return ground is not None and ground.is_valid

    @property
    def unexplained(self) -> Mask | None:
        """What stands unexplained in the small copy of the last picture [h, w]; None before the first one."""
        return None if self.still is None else of_cells(self.still.unexplained, self.still.luma.shape)

    def with_kept(self, grounds: Mapping[Light, Ground], view: View) -> Scene:
        """Return it as `view` finds it, with grounds that were kept from before: the newest light is the view's."""
        light = light_of(view.bgr, view.luma)
        if light not in grounds or grounds[light].known.shape != view.luma.shape:
            return self
        kept = dict(
            [*((one, ground) for one, ground in grounds.items() if one != light), (light, grounds[light])][
                -MOST_LIGHTS:
            ]
        )
        # Where people were found often nothing is known: whoever sat there masked before must not be shown now.
        still = Still.empty(view.luma, view.at_ns).doubted(~in_cells(grounds[light].known))
        return replace(
            self, frame_hw=view.frame_hw, light=light, grounds=kept, still=still, cut=Cut(), kept_ns=view.at_ns
        )

    def moved(self, by_ns: int) -> Scene:
        """Return it on a clock that was set by `by_ns`."""
        grounds = {light: replace(one, began_ns=one.began_ns + by_ns) for light, one in self.grounds.items()}
        still = None if self.still is None else self.still.moved(by_ns)
        return replace(
            self,
            grounds=grounds,
            still=still,
            cut=Cut(),
            learnt_ns=self.learnt_ns + by_ns,
            kept_ns=self.kept_ns + by_ns,
            seen_ns=self.seen_ns + by_ns,
            solid_ns={box: found_ns + by_ns for box, found_ns in self.solid_ns.items()},
        )

    def backdrop(self) -> Backdrop | None:
        """Return what the camera's pictures may be filled from, None while no ground vouches for them."""
        ground = self.ground
        backdrop = None if ground is None else ground.backdrop(self.frame_hw)
        return None if backdrop is None else replace(backdrop, solid=frozenset(self.solid_ns))

    def filled(self, backdrop: Backdrop | None, at_ns: int) -> Scene:
        """Return it after a picture of `at_ns` was filled from its `backdrop`: where somebody was found stays solid."""
        found = frozenset() if backdrop is None else backdrop.found
        late = {box: since for box, since in self.solid_ns.items() if 0 <= at_ns - since < SOLID_S * NS_PER_S}
        return replace(self, solid_ns={**late, **dict.fromkeys(found, at_ns)})

    def seen(self, view: View) -> Seen:
        """Return what of `view` is unexplained, before it is searched."""
        scene = self.after_gap(view.at_ns).fitting(view)
        ground, still = scene.grounds[scene.lit], scene.stood
        before, vouched = ground.compared(view.bgr, view.luma)
        known_px = int(ground.known.sum())
        if known_px and before.sum() > CUT_SHARE * known_px:
            scene = replace(scene, cut=Cut(scene.cut.since_ns or view.at_ns, scene.cut.pictures + 1))
            scene = scene.renewed(view) if scene.is_another(view.at_ns) else scene
            return Seen(scene, of_cells(still.unexplained, view.luma.shape))
        still = still.with_foreground(before, ground.known, is_valid=ground.is_valid)
        unexplained = of_cells(still.unexplained, view.luma.shape)
        scene = replace(scene, still=still, cut=Cut())
        return Seen(scene, unexplained, vouched & ~unexplained if ground.is_valid else None)

    def after(self, view: View, sample: Sample, standing: Boxes, vouched: Mask | None = None) -> Scene:
        """Return it with `view` learnt, of which `sample` holds the masks; nothing in the boxes `standing` [N, 4].

        `vouched` is what `seen` said of this very view: somebody who was found there all the same may be in the ground.
        """
        small_hw = view.luma.shape
        found = np.zeros_like(sample.grid) if sample.people is None else sample.people
        people = small_of(found, view.frame_hw, small_hw)
        scene = replace(self, still=self.stood.after(view.luma, in_cells(people), self._unknown(), view.at_ns))
        if vouched is not None and scene.ground is not None and people.any():
            where = surprises(people, vouched)
            scene = scene.with_ground(scene.ground.doubted(where, view.at_ns)) if where.any() else scene
        ground = scene.ground
        if ground is None or 0 <= view.at_ns - self.learnt_ns < self.learn_gap_s * NS_PER_S:
            return scene
        masked = small_of(sample.grid, view.frame_hw, small_hw) | painted_small(standing, view.frame_hw, small_hw)
        masked |= of_cells(scene.stood.unexplained, small_hw)
        learnt = ground.with_people(people).learnt(view.bgr, view.luma, ~widened(masked, CLEAR_PX), view.at_ns)
        return replace(scene.with_ground(learnt), learnt_ns=view.at_ns)

    def against_filling(self, boxes_xyxy: Boxes, view: View) -> Scene:
        """Return it with the `boxes_xyxy` [N, 4] of `view` counted against filling there."""
        ground = self.ground
        if ground is None or len(boxes_xyxy) == 0:
            return self
        return self.with_ground(ground.with_people(painted_small(boxes_xyxy, view.frame_hw, view.luma.shape)))

    def _unknown(self) -> Mask:
        """Return the cells that no ground can be compared with; none in a file, which has no minute to wait."""
        if not self.ripe_min:
            return np.zeros_like(self.stood.people)
        return np.ones_like(self.stood.people) if self.ground is None else ~in_cells(self.ground.known)

    def candidates(self, view: View) -> list[Candidate]:
        """Return what may be looked into now, to explain it."""
        if self.ground is None:
            return []
        due = self.stood.due(view.at_ns)
        return [Candidate(one, box_px(one, view.frame_hw, view.luma.shape)) for one in due]

    def judged(self, view: View, candidate: Candidate, *, is_anyone: bool) -> Scene:
        """Return it after a look into `candidate`: it stays masked where somebody may be there, else it is ground."""
        ground = self.ground
        if is_anyone or ground is None:
            return replace(self, still=self.stood.in_vain(candidate.patch, view.at_ns))
        where = of_cells(candidate.patch.cells, view.luma.shape)
        scene = self.with_ground(ground.replaced(view.bgr, view.luma, where, view.at_ns))
        return replace(scene, still=self.stood.explained(candidate.patch))

    @property
    def lit(self) -> Light:
        """The light that is, day where no picture was seen."""
        return self.light or Light.DAY

    @property
    def stood(self) -> Still:
        """What stands before the ground; ValueError before the first picture."""
        if self.still is None:
            message = "no picture seen yet found, one expected before"
            raise ValueError(message)
        return self.still

    def fitting(self, view: View) -> Scene:
        """Return it in the light of `view`, started anew where the picture's size is another."""
        light = light_of(view.bgr, view.luma, self.light)
        scene = self
        if self.frame_hw != view.frame_hw or self.still is None or self.still.luma.shape != view.luma.shape:
            empty = Still.empty(view.luma, view.at_ns)
            still = empty if self.still is None else self.still.resized(view.luma, view.at_ns)
            scene = replace(self, frame_hw=view.frame_hw, light=light, grounds={}, still=still, cut=Cut(), solid_ns={})
        if light != scene.light and scene.light is not None:
            scene = replace(scene, light=light, still=scene.stood.lost(), cut=Cut(), solid_ns={})
        if light not in scene.grounds:
            return replace(scene, light=light).renewed(view)
        return scene

    def after_gap(self, at_ns: int) -> Scene:
        """Return it at `at_ns`; what passed unseen, beyond WATCHED_GAP_S, counts neither as watched nor as calm."""
        unseen_ns = at_ns - self.seen_ns - int(WATCHED_GAP_S * NS_PER_S)
        gone = self.seen_ns > 0 and unseen_ns > 0 and self.ripe_min > 0
        scene = (
            replace(self.moved(unseen_ns), cut=self.cut, learnt_ns=self.learnt_ns, kept_ns=self.kept_ns)
            if gone
            else self
        )
        return replace(scene, seen_ns=at_ns)

    def renewed(self, view: View) -> Scene:
        """Return it with an empty ground in the light that is."""
        ground = Ground.empty(view.luma, view.frame_hw, view.at_ns, self.ripe_min)
        return replace(self, still=self.stood.lost(), cut=Cut()).with_ground(ground)

    def is_another(self, at_ns: int) -> bool:
        """Tell whether the cut has lasted so long that the scene is another one."""
        return self.cut.pictures >= CUT_PICTURES and at_ns - self.cut.since_ns >= CUT_S * NS_PER_S

    def with_ground(self, ground: Ground) -> Scene:
        """Return it with `ground` as the newest of its grounds; the oldest makes room."""
        others = {light: one for light, one in self.grounds.items() if light != self.lit}
        kept = dict(list(others.items())[-(MOST_LIGHTS - 1) :])
        return replace(self, grounds={**kept, self.lit: ground})
