"""The footprints of a visit's exposures on the sky, about its target."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from aptdither.optics.aperture import Aperture
from aptdither.optics.siaf import sky_from_ideal
from aptdither.planning.evaluation import DitherGroup
from aptdither.report.plots.geometry import footprints
from aptdither.report.plots.style import FAINT, INK, SERIES, SMALL_PT, closed
from aptdither.types import FloatArray, PosTarg


def orients_of(group: DitherGroup) -> tuple[tuple[float, float], ...]:
    """Return the ranges of ORIENT that a group's visit allows, degrees; empty for any."""
    visit = group.exposures.visit
    return () if visit is None else visit.orients_deg


def orient_in_words(group: DitherGroup) -> str:
    """Return at which ORIENT the footprints are drawn, and which are allowed."""
    ranges = orients_of(group)
    if not ranges:
        return "the visit allows any ORIENT; drawn at 0"
    allowed = " or ".join(f"{low:g} to {high:g}" for low, high in ranges)
    return f"drawn at ORIENT {_drawn_orient(group):g}; dashed: the ends of the allowed {allowed}"


def _drawn_orient(group: DitherGroup) -> float:
    """Return the middle of the first range of ORIENT, which may pass through 0 degrees."""
    low, high = (orients_of(group) or ((0.0, 0.0),))[0]
    return (low + ((high - low) % 360) / 2) % 360


def draw_sky(axes: Axes, groups: Sequence[DitherGroup]) -> None:
    """Draw the footprints of groups of one visit: east to the left, the target at the origin."""
    orient = _drawn_orient(groups[0])
    ends = [end for ends in orients_of(groups[0]) for end in ends if ends[0] != ends[1]]
    drawn: dict[object, str] = {}
    for group in groups:
        color = SERIES[len(drawn) % len(SERIES)][0]
        color = drawn.setdefault(group.aperture.name, color)
        for end in ends:
            for border in _on_sky(group.aperture, group.points[0].pos_targ, end):
                axes.plot(*border.T, color=FAINT, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
        for point in group.points:
            for border in _on_sky(group.aperture, point.pos_targ, orient):
                axes.plot(*border.T, color=color, linewidth=0.8)
    axes.plot(0, 0, "+", color=INK, markersize=8)
    for name, color in drawn.items():
        axes.plot([], [], color=color, label=name)
    axes.legend(fontsize=SMALL_PT, loc="lower left", frameon=False)
    axes.grid(color=FAINT, linewidth=0.4, linestyle=(0, (1, 3)))
    axes.set(xlabel="east of the target, arcsec", ylabel="north of the target, arcsec")
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.12)
    axes.invert_xaxis()


def _on_sky(aperture: Aperture, pos_targ: PosTarg, orient_deg: float) -> list[FloatArray]:
    """Return each chip's footprint, closed, arcsec east and north of the target."""
    angle = aperture.frame.y_axis_angle(orient_deg)
    borders = []
    for _, border in footprints(aperture):
        ideal = (border - pos_targ.xy_arcsec).T
        ra, dec = sky_from_ideal(*ideal, y_angle_deg=angle, ra_deg=0.0, dec_deg=0.0)
        east = (ra + 180) % 360 - 180
        borders.append(closed(np.stack([east, dec], axis=-1) * 3600))
    return borders
