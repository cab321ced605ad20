"""What stands on every picture of a group: its name, its setup, its region."""

from __future__ import annotations

from aptdither.judge import PlannedGroup, PlannedPoint
from aptdither.report.safe import safe_line

_LONGEST_LABEL = 6
_LONGEST_NAME = 48


def name_of(group: PlannedGroup) -> str:
    """Return what a group is called: its visit, its pattern and its number of points."""
    n = len(group.points)
    where = "" if group.visit is None else f"Visit {safe_line(group.visit, limit=12)}, "
    what = safe_line(group.chosen.name, limit=_LONGEST_NAME)
    return f"{where}{what}: {n} point{'s' if n != 1 else ''}"


def facts_of(group: PlannedGroup) -> list[str]:
    """Return setup, number of points and region."""
    return [
        f"{group.aperture.config} {group.aperture.name}",
        f"{group.element.name} ({group.element.wavelength_nm:.0f} nm)",
        f"N = {len(group.points)}",
        f"region: {region_of(group)}",
    ]


def region_of(group: PlannedGroup) -> str:
    """Return the region in two or three words."""
    region = group.region
    if region.kind == "full":
        return "all that is read"
    if region.kind == "point" or region.diameter is None:
        return "the target's place"
    return f"disc of {region.diameter:g} {'arcsec' if region.unit == 'arcsec' else 'pixels'}"


def label_of(point: PlannedPoint) -> str:
    """Return an exposure's number, short enough for a picture."""
    return safe_line(point.exposure.number, limit=_LONGEST_LABEL)
