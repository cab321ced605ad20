"""More exposures than nine: clusters of at most nine points, stepped apart.

Nine phases hold all there is in a WFC3/IR scene (ISR WFC3 2016-14, section 1), so a larger set is
made of patterns of at most nine, each coherent by itself, with steps of about 2.0 arcsec between
them so that an artifact meets an object in one cluster at the most (section 7). The fractions of a
pixel of those steps are free: they are taken so that the clusters' phases interleave where the
target lands. Toward the edge of the field distortion shifts whole clusters against each other
(0.1 to 0.3 pixel over 10, figure 1 there), so there each cluster stands for itself.

Clusters of several visits keep their patterns, too. Their shifts are less than a pixel: distortion changes
so small a step by less than 0.05 pixel anywhere, so that the phases interleave over the whole region.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from aptdither.dither.pattern import rounded
from aptdither.dither.phases import largest_hole, packing_distance, span, wrap
from aptdither.dither.views import Views, as_views, band_at, field_points, offsets_at
from aptdither.errors import RefusalError
from aptdither.optics.aperture import Aperture, plain
from aptdither.optics.detector import WFC3_IR, Detector
from aptdither.types import FloatArray

#: Points of a cluster at most: the same for every detector so far.
MAX_CLUSTER_SIZE = WFC3_IR.max_cluster_size

#: Efficiency at the worst place that is given for a larger packing distance. Chosen: efficiencies
#: of eight and more exposures differ by less, while the distance of the phases, which says how much
#: pointing errors may take, differs threefold.
EQUAL_UNION_EFFICIENCY = 0.003

#: Shifts of a grid whose efficiency is computed: those with the largest packing distances.
_MOST_EVALUATED = 16

#: Shifts are tried on a grid of so many steps a pixel, and then around the best down to this step.
_SHIFT_GRID, _FINEST_PIX = 12, 0.01

#: After so many clusters their sub-pixel parts begin again: 72 phases are as dense as any.
_DISTINCT = 8
#: The sub-pixel part of a step is searched on this grid, and then around the best down to 1e-3.
_GRID = 24


def split_counts(m: int, most: int = MAX_CLUSTER_SIZE) -> tuple[int, ...]:
    """Return the sizes of the fewest clusters for `m` points, as equal as can be, larger first."""
    if m < 1 or most < 1:
        raise ValueError(f"{m} points cannot be split into clusters of at most {most}")
    count = -(-m // most)
    share, rest = divmod(m, count)
    return (share + 1,) * rest + (share,) * (count - rest)


def offset_clusters(
    postargs: Sequence[Any], aperture: Aperture, *, base: Any = (0.0, 0.0)
) -> FloatArray:
    """Step patterns apart so that their phases interleave and no artifact is met in two clusters.

    Parameters
    ----------
    postargs : sequence of (n, 2) array_like, arcsec, or Quantity
        The POS TARGs of each cluster; they may be the same pattern over and over.
    aperture : Aperture
    base : (2,) array_like, arcsec, or Quantity
        POS TARG that all exposures share: phases interleave where it makes the target land.

    Returns
    -------
    (M, 2) float array, arcsec
        POS TARGs of all points relative to `base`, rounded to the three decimals that are written,
        cluster after cluster, the first point as it was. Cluster centers lie on a hexagonal spiral, the
        detector's cluster step or more apart: as much as keeps points of different clusters its largest
        blob apart. Every cluster has its pattern's offsets in pixels where the target lands. One
        cluster stays as it is.

    Raises
    ------
    RefusalError
        If the clusters do not fit inside the guide stars' limit.
    """
    given = [plain(cluster, "arcsec") for cluster in postargs]
    if not given:
        raise ValueError("there are no clusters to offset_clusters")
    if len(given) == 1:
        return rounded(given[0])
    x_base, y_base = plain(base, "arcsec")
    x_pix, y_pix = aperture.pixel_from_ideal(float(x_base), float(y_base))
    at = (float(x_pix), float(y_pix))
    patterns = [
        np.stack(aperture.offset_from_postarg(cluster[:, 0], cluster[:, 1], at=at), axis=-1)
        for cluster in given
    ]
    x_scale, y_scale = aperture.scale_at(*at)
    steps = cluster_steps(patterns, (float(x_scale), float(y_scale)), aperture.detector)
    offsets = np.concatenate(
        [cluster + step for cluster, step in zip(patterns, steps, strict=True)]
    )
    combined = rounded(
        np.stack(aperture.postarg_from_offset(offsets[:, 0], offsets[:, 1], at=at), axis=-1)
    )
    across = span(combined)
    limit = aperture.detector.guide_star_limit_arcsec
    if across > limit:
        raise RefusalError(
            f"{len(given)} clusters with {len(combined)} points in all would be {across:.0f} "
            f"arcsec across, and guide stars are kept within about {limit:.0f}: use fewer "
            "exposures, a tighter pattern, or several visits"
        )
    return combined


def interleave(patterns_pix: Sequence[FloatArray]) -> FloatArray:
    """Return the sub-pixel step of each cluster (K, 2), pixels in [0, 1), that interleaves them.

    Clusters are added one by one, each where its phases are as far as can be from all phases so
    far (among equals: where the largest hole is smallest), on a grid and then around its best; then
    each is looked at once more with all others in place. Deterministic.
    """
    distinct = [wrap(pattern) for pattern in patterns_pix[:_DISTINCT]]
    chosen = [np.zeros(2)]
    for k in range(1, len(distinct)):
        chosen.append(_best_fraction(_union(distinct[:k], chosen), distinct[k]))
    for k in range(1, len(distinct) if len(distinct) > 2 else 0):
        others = [j for j in range(len(distinct)) if j != k]
        union = _union([distinct[j] for j in others], [chosen[j] for j in others])
        candidate = _best_fraction(union, distinct[k])
        before, after = (
            float(packing_distance(np.concatenate([union, distinct[k] + step])))
            for step in (chosen[k], candidate)
        )
        if after > before + 1e-9:
            chosen[k] = candidate
    return np.array([chosen[k % len(chosen)] for k in range(len(patterns_pix))])


def _union(phases: Sequence[FloatArray], steps: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate([p + step for p, step in zip(phases, steps, strict=True)])


def _best_fraction(there: FloatArray, cluster: FloatArray) -> FloatArray:
    """Return the sub-pixel step of `cluster` that puts its phases best between those `there`."""
    line = np.arange(_GRID) / _GRID
    best, width = np.zeros(2), 1.0 / _GRID
    steps = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    while True:
        best = steps[_best_of(there, cluster, steps)]
        if width < 1e-3:
            return wrap(np.round(best, 4))
        fine = np.linspace(-width, width, 9)
        around = np.stack(np.meshgrid(fine, fine, indexing="ij"), axis=-1).reshape(-1, 2)
        steps, width = best + around, width / 4


def _best_of(there: FloatArray, cluster: FloatArray, steps: FloatArray) -> int:
    apart = (cluster[None] + steps[:, None])[:, :, None] - there
    apart -= np.rint(apart)
    nearest = np.sqrt(np.min(np.sum(apart * apart, axis=-1), axis=(1, 2)))
    equal = np.flatnonzero(nearest >= np.max(nearest) - 1e-6)[:32]
    sets = np.concatenate(
        [np.broadcast_to(there, (len(equal), *there.shape)), cluster + steps[equal, None]], axis=1
    )
    # Rounded, so that equals are equal on every machine and the first is taken.
    return int(equal[np.argmin(np.round(largest_hole(sets), 6))])


def cluster_steps(
    patterns_pix: Sequence[FloatArray], scale_arcsec: tuple[float, float], detector: Detector
) -> FloatArray:
    """Return where each cluster goes: steps that interleave, as short as artifacts allow.

    Patterns are (n, 2), pixels, `scale_arcsec` the pixel scale in x and y; the steps (K, 2), pixels, are
    added to the points of each cluster, (0, 0) to the first.
    """
    fractions = interleave(patterns_pix)
    middles = np.array([(p.min(axis=0) + p.max(axis=0)) / 2 for p in patterns_pix])
    spiral = hexagonal_spiral(len(patterns_pix))
    pitch, artifact_pix = detector.cluster_step_arcsec, detector.widest_spacing_pix
    # Wide patterns need longer steps: 0.1 arcsec more until artifacts are cleared.
    while True:
        wanted = spiral * pitch / scale_arcsec - (middles - middles[0])
        steps = np.round(wanted - fractions) + fractions
        steps -= steps[0]
        if _clears_artifacts(patterns_pix, steps, artifact_pix) or (
            pitch > detector.guide_star_limit_arcsec
        ):
            return np.asarray(steps)
        pitch += 0.1


def _clears_artifacts(
    patterns: Sequence[FloatArray], steps: FloatArray, artifact_pix: float
) -> bool:
    """Return whether points of different clusters are an artifact's size apart."""
    reach = [float(np.max(np.hypot(*(p - p[0]).T))) for p in patterns]
    for i in range(len(patterns)):
        for j in range(i):
            between = steps[i] - steps[j]
            if math.hypot(*between) >= artifact_pix + reach[i] + reach[j]:
                continue
            apart = (patterns[i] + between)[:, None] - patterns[j]
            if np.min(np.hypot(apart[..., 0], apart[..., 1])) < artifact_pix:
                return False
    return True


def hexagonal_spiral(count: int) -> FloatArray:
    """Return the first places (count, 2) of a hexagonal spiral of unit pitch about (0, 0).

    Neighbors in the list are neighbors in the plane, one unit apart but for the step from ring to
    ring, which is one or sqrt(3). The first step is along x, where WFC3/IR has less distortion.
    """
    places = [(0.0, 0.0)]
    ring = 1
    while len(places) < count:
        corners = [
            (ring * math.cos(math.pi * k / 3), ring * math.sin(math.pi * k / 3)) for k in range(7)
        ]
        for (x, y), (x_next, y_next) in pairwise(corners):
            places += [
                (x + (x_next - x) * i / ring, y + (y_next - y) * i / ring) for i in range(ring)
            ]
        ring += 1
    return np.array(places[:count])


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
    line = np.arange(_SHIFT_GRID) / _SHIFT_GRID - 0.5
    shifts_pix = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    step_pix = 1.0 / _SHIFT_GRID
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
