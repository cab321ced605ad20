"""The words on every picture of a group: its name, its setup, its region."""

from __future__ import annotations

from aptdither.optics.aperture import Aperture
from aptdither.optics.filters import SpectralElement
from aptdither.planning.evaluation import DitherGroup, Point
from aptdither.report.sanitize import safe_line
from aptdither.report.summary import counted, region_in_words
from aptdither.types import Region

#: Fraction of the theoretical maximum, as matplotlib's mathematics.
PACKING = "$d/d_N$"

_MAX_LABEL = 6
_MAX_VISIT = 12
_MAX_NAME = 48


def name_of(group: DitherGroup) -> str:
    """Return a group's visit, its pattern and its number of points."""
    visit = "" if group.visit is None else f"Visit {safe_line(group.visit, limit=_MAX_VISIT)}, "
    pattern = safe_line(group.choice.name, limit=_MAX_NAME)
    return f"{visit}{pattern}: {counted(len(group.points), 'point')}"


def facts_of(group: DitherGroup) -> list[str]:
    """Return setup, number of points, region and signal to noise."""
    facts = setup_facts(group.aperture, group.element, len(group.points), group.region)
    return [*facts, f"S/N {group.evaluation.view.snr:g} per exposure"]


def setup_facts(aperture: Aperture, element: SpectralElement, n: int, region: Region) -> list[str]:
    """Return setup, number of points and region, a few words each."""
    return [
        aperture_words(aperture),
        f"{element.name} ({element.wavelength_nm:.0f} nm)",
        f"N = {n}",
        f"region: {region_in_words(region)}",
    ]


def aperture_words(aperture: Aperture) -> str:
    """Return configuration and aperture: ``WFC3/IR IR-FIX``; ``WFC3/IR`` alone for aperture IR."""
    if aperture.config.endswith(f"/{aperture.name}"):
        return aperture.config
    return f"{aperture.config} {aperture.name}"


def label_of(point: Point) -> str:
    """Return an exposure's number, short enough for a picture."""
    return safe_line(point.number, limit=_MAX_LABEL)
