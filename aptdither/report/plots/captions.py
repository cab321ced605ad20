"""What stands on every picture of a group: its name, its setup, its region."""

from __future__ import annotations

from aptdither.optics.aperture import Aperture
from aptdither.optics.filters import SpectralElement
from aptdither.planning.evaluation import DitherGroup, Point
from aptdither.report.format import counted, region_in_words
from aptdither.report.sanitize import safe_line
from aptdither.types import Region

_LONGEST_LABEL = 6
_LONGEST_NAME = 48


def name_of(group: DitherGroup) -> str:
    """Return what a group is called: its visit, its pattern and its number of points."""
    where = "" if group.visit is None else f"Visit {safe_line(group.visit, limit=12)}, "
    what = safe_line(group.choice.name, limit=_LONGEST_NAME)
    return f"{where}{what}: {counted(len(group.points), 'point')}"


def facts_of(group: DitherGroup) -> list[str]:
    """Return setup, number of points and region."""
    return setup_facts(group.aperture, group.element, len(group.points), group.region)


def setup_facts(aperture: Aperture, element: SpectralElement, n: int, region: Region) -> list[str]:
    """Return setup, number of points and region, a few words each."""
    return [
        f"{aperture.config} {aperture.name}",
        f"{element.name} ({element.wavelength_nm:.0f} nm)",
        f"N = {n}",
        f"region: {region_in_words(region)}",
    ]


def label_of(point: Point) -> str:
    """Return an exposure's number, short enough for a picture."""
    return safe_line(point.number, limit=_LONGEST_LABEL)
