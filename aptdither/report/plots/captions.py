"""What stands on every picture of a group: its name, its setup, its region."""

from __future__ import annotations

from aptdither.optics.aperture import Aperture
from aptdither.optics.filters import SpectralElement
from aptdither.planning.evaluation import DitherGroup, Point
from aptdither.report.sanitize import safe_line
from aptdither.types import Region

_LONGEST_LABEL = 6
_LONGEST_NAME = 48


def name_of(group: DitherGroup) -> str:
    """Return what a group is called: its visit, its pattern and its number of points."""
    n = len(group.points)
    where = "" if group.visit is None else f"Visit {safe_line(group.visit, limit=12)}, "
    what = safe_line(group.choice.name, limit=_LONGEST_NAME)
    return f"{where}{what}: {n} point{'s' if n != 1 else ''}"


def facts_of(group: DitherGroup) -> list[str]:
    """Return setup, number of points and region."""
    return setup_facts(group.aperture, group.element, len(group.points), group.region)


def setup_facts(aperture: Aperture, element: SpectralElement, n: int, region: Region) -> list[str]:
    """Return setup, number of points and region, a few words each."""
    return [
        f"{aperture.config} {aperture.name}",
        f"{element.name} ({element.wavelength_nm:.0f} nm)",
        f"N = {n}",
        f"region: {region_words(region)}",
    ]


def region_words(region: Region) -> str:
    """Return a region in two or three words."""
    if region.kind == "full":
        return "all that is read"
    if region.kind == "point" or region.diameter is None:
        return "the target's place"
    return f"disc of {region.diameter:g} {'arcsec' if region.unit == 'arcsec' else 'pixels'}"


def label_of(point: Point) -> str:
    """Return an exposure's number, short enough for a picture."""
    return safe_line(point.number, limit=_LONGEST_LABEL)
