"""How finely a picture is searched in tiles, and how much of its size may leave for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lamplight_detect.gate.policy import Policy

Tile = tuple[slice, slice]
"""Rows and columns of a picture."""


@dataclass(frozen=True)
class Grid:
    """Tiles over a picture of `frame_hw`, `rows` x `columns` of them, each overlapping the next by `overlap`."""

    frame_hw: tuple[int, int]
    rows: int
    columns: int
    overlap: float

    def tiles(self) -> list[Tile]:
        """Return the tiles, from the top left on; together they cover the picture."""
        across = _slices(self.frame_hw[1], self.columns, self.overlap)
        return [(row, column) for row in _slices(self.frame_hw[0], self.rows, self.overlap) for column in across]

    def scale(self, input_hw: tuple[int, int]) -> float:
        """Return by how much a tile is scaled to fit a model's input."""
        height, width = (
            _side(self.frame_hw[0], self.rows, self.overlap),
            _side(self.frame_hw[1], self.columns, self.overlap),
        )
        return min(input_hw[0] / height, input_hw[1] / width)


@dataclass(frozen=True)
class Plan:
    """How a picture is searched in tiles: in `grids`, the finest first."""

    grids: tuple[Grid, ...]
    least_px: float
    """From this height on, in pixels of the picture, somebody is found reliably."""

    def tiles(self) -> list[Tile]:
        """Return the tiles of all grids."""
        return [tile for grid in self.grids for tile in grid.tiles()]

    def leaving(self, policy: Policy) -> float:
        """Return the scale, at most 1, at which whoever is too small to be found is at most `most_legible_px` tall."""
        return min(1.0, policy.most_legible_px / self.least_px)


def planned(frame_hw: tuple[int, int], input_hw: tuple[int, int], policy: Policy, most_tiles: int) -> Plan:
    """Return how a picture of `frame_hw` is searched by a model of `input_hw`, in at most `most_tiles` fine tiles.

    The fewest tiles, 2x2 at least, in which somebody of `most_legible_px` is `least_model_px` tall for the model; where
    that takes more than may be, those in which the smallest person found is smallest. Where the tiles are so many that
    somebody may be larger than their overlap and yet small in the whole picture, 2x2 tiles are searched besides.
    """
    wanted = policy.least_model_px / policy.most_legible_px
    possible = sorted(_grids(frame_hw, policy, most_tiles), key=lambda grid: grid.rows * grid.columns)
    fine = max(possible, key=lambda grid: min(wanted, grid.scale(input_hw)))
    coarse = Grid(frame_hw, 2, 2, policy.tile_overlap)
    grids = (fine, coarse) if max(fine.rows, fine.columns) > policy.most_lone_tiles else (fine,)
    return Plan(grids, policy.least_model_px / fine.scale(input_hw))


def _grids(frame_hw: tuple[int, int], policy: Policy, most_tiles: int) -> Iterator[Grid]:
    for rows in range(2, most_tiles // 2 + 1):
        for columns in range(2, most_tiles // rows + 1):
            yield Grid(frame_hw, rows, columns, policy.tile_overlap)


def _side(length: int, count: int, overlap: float) -> int:
    """Return the side of each of `count` parts that cover `length` and overlap by `overlap` of their side."""
    return min(length, -int(-length // (count - (count - 1) * overlap)))


def _slices(length: int, count: int, overlap: float) -> list[slice]:
    side = _side(length, count, overlap)
    starts = [round(number * (length - side) / (count - 1)) for number in range(count)]
    return [slice(start, start + side) for start in starts]
