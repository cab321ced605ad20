"""Clusters of several visits: whole patterns shifted so that their phases fall between each other.

A cluster keeps its pattern, so that every visit is coherent by itself. Its shift is less than a
pixel: distortion changes so small a step by less than 0.05 pixel anywhere, so that the phases
interleave over the whole region and not only where the target lands.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aptdither.dither.pattern import rounded
from aptdither.dither.phases import packing_distance
from aptdither.dither.views import Views, as_views, band_at, field_points, offsets_at
from aptdither.types import FloatArray

#: Efficiency at the worst place that is given for a larger packing distance. Chosen: efficiencies
#: of eight and more exposures differ by less, while the distance of the phases, which says how much
#: pointing errors may take, differs threefold.
EQUAL_UNION_EFFICIENCY = 0.003

#: Shifts of a grid whose efficiency is computed: those with the largest packing distances.
_MOST_EVALUATED = 16

#: Shifts are tried on a grid of so many steps a pixel, and then around the best down to this step.
_GRID, _FINEST_PIX = 12, 0.01


def best_shift(there: FloatArray, cluster: FloatArray, views: Views, *, base: Any) -> FloatArray:
    """Return the shift of a cluster that puts its phases best between those that are there.

    `there` (M, 2) are the POS TARGs, arcsec relative to `base`, of the other visits' exposures, `cluster`
    (N, 2) those of the cluster; `views` see both. The shift (2,), arcsec with three decimals, is less than a
    pixel of the first view: of the shifts with the largest packing distances at their worst places, the
    first whose efficiency at the worst place is within `EQUAL_UNION_EFFICIENCY` of the best.
    """
    field = field_points(views, base=base, grid=3)
    band = band_at(views, field)
    first = as_views(views)[0]
    moved_there = offsets_at(there, views, field)
    line = np.arange(_GRID) / _GRID - 0.5
    shifts_pix = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    step_pix = 1.0 / _GRID
    while True:
        shifts = rounded(first.postargs_of(shifts_pix))
        moved = offsets_at((cluster + shifts[:, None]).reshape(-1, 2), views, field)
        own = moved.reshape(len(moved), len(shifts), len(cluster), 2).swapaxes(0, 1)
        shape = (len(shifts), *moved_there.shape)
        union = np.concatenate([np.broadcast_to(moved_there, shape), own], axis=2)
        # Rounded, so that equals are equal on every machine and the first is taken.
        packing = np.round(packing_distance(union).min(axis=-1), 6)
        spread = np.argsort(-packing, kind="stable")[:_MOST_EVALUATED]
        efficiency = np.round(band.efficiency(union[spread]).min(axis=-1), 6)
        best = int(spread[np.argmax(efficiency >= efficiency.max() - EQUAL_UNION_EFFICIENCY)])
        if step_pix <= _FINEST_PIX:
            return np.asarray(shifts[best])
        fine = np.linspace(-step_pix, step_pix, 7)
        around = np.stack(np.meshgrid(fine, fine, indexing="ij"), axis=-1).reshape(-1, 2)
        shifts_pix, step_pix = shifts_pix[best] + around, step_pix / 3.5
