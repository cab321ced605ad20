"""APT's own patterns: the groups that run them, and their offsets."""

from __future__ import annotations

from cmath import rect
from math import radians

from aptdither.apt.limits import MAX_POINTS
from aptdither.apt.proposal import BOX_POINTS, AptPattern, ExposureGroup
from aptdither.errors import Location, ProposalError
from aptdither.types import PosTarg


def is_pattern_group(group: ExposureGroup) -> bool:
    """Whether a group runs an APT pattern."""
    return group.pattern_number is not None or (group.type or "").lower() == "pattern"


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
    for part in filter(None, (pattern, pattern.sub)):
        for problem in part.problems:
            raise ProposalError(
                f"APT pattern {pattern.number}: {problem.field} is {problem.found!r}; allowed: "
                f"{problem.allowed}",
                location=Location(line=pattern.line),
            )
    points = _points(pattern, f"APT pattern {pattern.number}")
    if pattern.sub is not None:
        steps = _points(pattern.sub, f"APT pattern {pattern.number} (its sub-pattern)")
        if len(points) * len(steps) > MAX_POINTS:
            raise ProposalError(f"APT pattern {pattern.number} has more than {MAX_POINTS} points")
        points = [point + step for point in points for step in steps]
    return tuple(PosTarg(x_arcsec=point.real, y_arcsec=point.imag) for point in points)


def _points(pattern: AptPattern, name: str) -> list[complex]:
    """Return the points of a pattern without its sub-pattern, X + iY in arcsec."""
    kind = pattern.pattern_type.upper()
    frame = pattern.coordinate_frame.upper().replace("-", "").replace(" ", "")
    needed = {"PointSpacing": pattern.point_spacing, "Orientation": pattern.orientation}
    if pattern.is_box:
        needed["LineSpacing"] = pattern.line_spacing
        needed["AngleBetweenSides"] = pattern.angle_between_sides
    else:
        needed["NumberOfPoints"] = pattern.number_of_points
    missing = ", ".join(key for key, value in needed.items() if value is None)
    count = pattern.number_of_points or BOX_POINTS
    if frame not in ("POSTARG", ""):
        problem = (
            f"is laid out in the frame {pattern.coordinate_frame!r}, not in POS TARGs, and the roll "
            "is not known"
        )
    elif not pattern.is_box and "LINE" not in kind and kind != "WFC3-IR-DITHER-BLOB":
        problem = (
            f"is of type {pattern.pattern_type!r}, whose geometry is not documented well enough to "
            "rely on; use a BOX or LINE pattern, or give each point its own exposures with an "
            "explicit POS TARG, joined by one id="
        )
    elif pattern.is_box and count != BOX_POINTS:
        problem = f"is a box of {count} points, not of {BOX_POINTS}"
    elif missing:
        problem = f"({pattern.pattern_type}) has no {missing}"
    else:
        orientation = pattern.orientation or 0.0
        step = rect(pattern.point_spacing or 0.0, radians(orientation))
        points = [k * step for k in range(count)]
        if pattern.is_box:
            turn = orientation + 180.0 - (pattern.angle_between_sides or 0.0)
            side = rect(pattern.line_spacing or 0.0, radians(turn))
            points = [0j, step, step + side, side]
        middle = sum(points) / len(points) if pattern.center_pattern else 0.0
        return [point - middle for point in points]
    raise ProposalError(f"{name} {problem}")
