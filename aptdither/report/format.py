"""How reports write numbers, figures of coverage, regions and places: one function for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aptdither.errors import Location
from aptdither.findings import Severity
from aptdither.report.sanitize import safe_line
from aptdither.types import LengthUnit, Region, RegionKind

if TYPE_CHECKING:
    from aptdither.dither.bounds import PossibleMetrics
    from aptdither.dither.coverage import Metrics
    from aptdither.findings import Finding
from aptdither.planning.evaluation import DitherGroup

#: How severities look in a terminal.
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def decimals(value: float, digits: int = 3) -> str:
    """Return a number with fixed decimals, never minus zero.

    Examples
    --------
    >>> decimals(-0.0004)
    '0.000'
    >>> decimals(2.5, 1)
    '2.5'
    """
    return f"{round(value, digits) + 0.0:.{digits}f}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "point"), counted(2, "point")
    ('1 point', '2 points')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def location_of(finding: Finding, *, with_visit: bool = True) -> str:
    """Return where a finding is: ``visit 01, exposure 3, line 159``; empty where nothing is known."""
    visit = finding.visit if with_visit else None
    return safe_line(str(Location(visit=visit, exposure=finding.exposure, line=finding.line)))


def region_in_words(region: Region) -> str:
    """Return a region in a few words.

    Examples
    --------
    >>> region_in_words(Region.disc(diameter_arcsec=30))
    'disc of 30 arcsec around the target'
    """
    if region.kind is RegionKind.FULL:
        return "full aperture"
    if region.kind is RegionKind.POINT:
        return "target position"
    unit = "arcsec" if region.unit is LengthUnit.ARCSEC else "pixels"
    return f"disc of {region.diameter:g} {unit} around the target"


def extent_in_words(group: DitherGroup) -> str:
    """Return how far apart a group's points are, and the overhead of the slews between them."""
    if len(group.points) == 1:
        return "one point"
    return (
        f"closest pair {group.min_separation_pix:.1f}, total extent {group.span_pix:.1f} pix; "
        f"slew overhead about {group.slew_seconds:.0f} s"
    )


def group_name(group: DitherGroup) -> str:
    """Return a group's visit, aperture, spectral element and number of points."""
    visit = "" if group.visit is None else f"Visit {safe_line(group.visit)}, "
    setup = f"{group.aperture.name} {group.element.name}"
    return f"{visit}{setup}: {counted(len(group.points), 'point')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of coverage, and how a report shows it.

    Attributes
    ----------
    name : str
        Its field of :class:`~aptdither.dither.coverage.Metrics`.
    label : str
        The heading of its row, with its unit.
    write : callable
        Makes text of a value.
    """

    name: str
    label: str
    write: Callable[[float], str]

    def text(self, metrics: Metrics | PossibleMetrics) -> str:
        """Return the figure of some metrics; ``-`` where there is none."""
        value = getattr(metrics, self.name)
        return "-" if value is None else self.write(value)


FIGURES = (
    Figure(name="efficiency", label="efficiency E", write=decimals),
    Figure(name="packing", label="packing distance d, pixels", write=decimals),
    Figure(
        name="packing_of_limit", label="fraction of the theoretical maximum", write="{:.0%}".format
    ),
    Figure(name="hole", label="largest hole, pixels", write=decimals),
    Figure(name="amplification", label="noise amplification", write="{:.2f}".format),
    Figure(name="lost_fraction", label="unrecoverable fraction", write="{:.0%}".format),
)
#: The figures by their names.
FIGURE = {figure.name: figure for figure in FIGURES}

#: What the words of a table of coverage mean: a term and one line.
LEGEND = (
    ("efficiency E", "1 is ideal sampling; 0.5 doubles the noise variance"),
    ("packing distance d", "smallest distance between two pixel phases"),
    ("largest hole", "largest distance of a phase from the nearest exposure"),
    ("noise amplification", "noise variance of exact de-aliasing; 1 is ideal"),
    ("unrecoverable fraction", "frequencies that exact de-aliasing cannot recover"),
    ("worst", "the worst value over the region, for each figure"),
    ("possible", "the best known for so many exposures at one place"),
)
