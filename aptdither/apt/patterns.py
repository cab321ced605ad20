"""APT's own patterns: the groups that run them, their number of points, and their offsets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from aptdither.apt.limits import MAX_POINTS
from aptdither.apt.proposal import BOX_POINTS, AptPattern, ExposureGroup
from aptdither.errors import Location, ProposalError
from aptdither.types import NO_OFFSET, PosTarg

__all__ = ["AptPattern", "is_pattern_group", "pattern_points", "points_of"]


def is_pattern_group(group: ExposureGroup) -> bool:
    """Whether a group runs an APT pattern."""
    return group.pattern_number is not None or (group.type or "").lower() == "pattern"


def points_of(group: ExposureGroup, patterns: Mapping[str, AptPattern]) -> int | None:
    """Return how often an APT pattern runs the exposures of a group; None if that is not known."""
    pattern = patterns.get(group.pattern_number or "")
    return None if pattern is None else pattern.total_points


def pattern_points(pattern: AptPattern) -> tuple[PosTarg, ...]:
    """Return the points of an APT pattern, those of its sub-pattern at each.

    Parameters
    ----------
    pattern : AptPattern
        As the file has it: its parameters count, also for the stock types.

    Returns
    -------
    tuple of PosTarg
        Offsets in the POS TARG frame, arcsec, in the order in which they are visited.

    Raises
    ------
    ProposalError
        If its geometry is not known here, or a parameter is missing or unreadable.

    Notes
    -----
    A line has its points ``k PS (cos o, sin o)``; a box ``0, p1, p1 + p3, p3`` with
    ``p1 = PS (cos o, sin o)`` and ``p3 = LS (cos(o + 180 - a), sin(o + 180 - a))``, where PS and LS
    are its point and line spacing, o its orientation and a the angle between its sides. This
    reproduces the stock patterns' POS TARGs to 0.001 arcsec.
    """
    for part in (pattern, pattern.sub):
        for problem in part.problems if part is not None else ():
            raise ProposalError(
                f"APT pattern {pattern.number}: {problem.field} is {problem.found!r}; allowed: "
                f"{problem.allowed}",
                location=Location(line=pattern.line),
            )
    points = _points_of(pattern, pattern.number)
    if pattern.sub is None:
        return points
    inner = _points_of(pattern.sub, f"{pattern.number} (its sub-pattern)")
    if len(points) * len(inner) > MAX_POINTS:
        raise ProposalError(f"APT pattern {pattern.number} has more than {MAX_POINTS} points")
    return tuple(outer + step for outer in points for step in inner)


def _points_of(pattern: AptPattern, number: str) -> tuple[PosTarg, ...]:
    name = f"APT pattern {number}"
    kind = pattern.pattern_type.upper()
    frame = pattern.coordinate_frame.upper().replace("-", "").replace(" ", "")
    if frame not in ("POSTARG", ""):
        raise ProposalError(
            f"{name} is laid out in the frame {pattern.coordinate_frame!r}, not in POS TARGs, and "
            "the roll is not known"
        )
    if not pattern.is_box and "LINE" not in kind and kind != "WFC3-IR-DITHER-BLOB":
        raise ProposalError(
            f"{name} is of type {pattern.pattern_type!r}, whose geometry is not known"
        )
    needed = {"PointSpacing": pattern.point_spacing, "Orientation": pattern.orientation}
    if pattern.is_box:
        needed |= {
            "LineSpacing": pattern.line_spacing,
            "AngleBetweenSides": pattern.angle_between_sides,
        }
        if pattern.number_of_points not in (BOX_POINTS, None):
            raise ProposalError(
                f"{name} is a box of {pattern.number_of_points} points, not of {BOX_POINTS}"
            )
    else:
        needed["NumberOfPoints"] = pattern.number_of_points
    missing = [key for key, value in needed.items() if value is None]
    if missing:
        raise ProposalError(f"{name} ({pattern.pattern_type}) has no {', '.join(missing)}")
    step = _polar(pattern.point_spacing or 0.0, pattern.orientation or 0.0)
    if pattern.is_box:
        turn = (pattern.orientation or 0.0) + 180.0 - (pattern.angle_between_sides or 0.0)
        side = _polar(pattern.line_spacing or 0.0, turn)
        points = [NO_OFFSET, step, step + side, side]
    else:
        points = [
            PosTarg(x_arcsec=k * step.x_arcsec, y_arcsec=k * step.y_arcsec)
            for k in range(pattern.number_of_points or 1)
        ]
    return _centered(points) if pattern.center_pattern else tuple(points)


def _polar(length: float, angle_deg: float) -> PosTarg:
    angle = math.radians(angle_deg)
    return PosTarg(x_arcsec=length * math.cos(angle), y_arcsec=length * math.sin(angle))


def _centered(points: Sequence[PosTarg]) -> tuple[PosTarg, ...]:
    away = PosTarg(
        x_arcsec=-sum(point.x_arcsec for point in points) / len(points),
        y_arcsec=-sum(point.y_arcsec for point in points) / len(points),
    )
    return tuple(point + away for point in points)
