"""How reports write numbers, figures of coverage, regions and places: one function for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def numbers_in_words(numbers: Sequence[str]) -> str:
    """Return exposure numbers with runs shortened.

    Examples
    --------
    >>> numbers_in_words(["1", "2", "3", "5", "7", "8"])
    '1-3,5,7,8'
    """
    parts: list[list[str]] = []
    for number in numbers:
        last = parts[-1][-1] if parts else ""
        if last.isdecimal() and number.isdecimal() and int(number) == int(last) + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    words = (f"{p[0]}-{p[-1]}" if len(p) > 2 else ",".join(p) for p in parts)
    return safe_line(",".join(words), limit=40)


def extent_in_words(group: DitherGroup) -> str:
    """Return how far apart a group's points are, and the overhead of the slews between them."""
    if not group.span_pix:
        return "no offsets"
    return (
        f"closest pair {group.min_separation_pix:.1f}, total extent {group.span_pix:.1f} pix; "
        f"slew overhead about {group.slew_seconds:.0f} s"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of coverage, and how every report shows it.

    Attributes
    ----------
    name : str
        Its field of :class:`~aptdither.dither.coverage.Metrics`.
    label : str
        The heading of its row, with its unit.
    meaning : str
        What it is, and what good and bad look like.
    write : callable
        Makes text of a value and the number of exposures.
    """

    name: str
    label: str
    meaning: str
    write: Callable[[float, int], str]

    def text(self, metrics: Metrics | PossibleMetrics, n: int) -> str:
        """Return the figure of some metrics of `n` exposures; ``-`` where there is none."""
        value = getattr(metrics, self.name)
        return "-" if value is None else self.write(value, n)


def efficiency_text(value: float, n: int) -> str:
    """Return an efficiency of `n` exposures without the decimal that is only model.

    Two and three exposures depend on the pixel response and the width of the filter by some
    hundredths of E, four and more by a thousandth.

    Examples
    --------
    >>> efficiency_text(0.8512, 3), efficiency_text(0.9942, 4)
    ('0.85', '0.994')
    """
    return decimals(value, 2 if n <= _FEW_EXPOSURES else 3)


_FEW_EXPOSURES = 3

FIGURES = (
    Figure(
        name="efficiency",
        label="efficiency E",
        meaning="noise variance of ideal sampling over that of these exposures at the given S/N: "
        "0.99 is as good as ideal, 0.95 costs 3% in noise, 0.7 costs 20%",
        write=efficiency_text,
    ),
    Figure(
        name="packing",
        label="packing distance d, pixels",
        meaning="smallest distance between two pixel phases; pointing errors are about 0.03 pixel",
        write=lambda value, n: decimals(value) if n > 1 else "-",
    ),
    Figure(
        name="packing_of_limit",
        label="fraction of the maximum",
        meaning="d/d_N, where d_N is the largest d of N phases: 80% is good; near 0% two exposures "
        "repeat a phase",
        write=lambda value, n: f"{value:.0%}" if n > 1 else "-",
    ),
    Figure(
        name="hole",
        label="largest hole, pixels",
        meaning="largest distance of any phase from the nearest exposure; near 'possible' is good",
        write=lambda value, _: decimals(value),
    ),
    Figure(
        name="amplification",
        label="noise amplification",
        meaning="noise variance of exact de-aliasing, for bright sources: 1 is ideal, above 2 is "
        "poor",
        write=lambda value, _: f"{value:.2f}",
    ),
    Figure(
        name="lost_fraction",
        label="unrecoverable fraction",
        meaning="spatial frequencies that no S/N recovers exactly: 0% is ideal; it hurts bright "
        "sources",
        write=lambda value, _: f"{value:.0%}",
    ),
)
#: The figures by their names.
FIGURE = {figure.name: figure for figure in FIGURES}

#: What the words of a table of coverage mean.
LEGEND = (
    *((figure.label.partition(",")[0], figure.meaning) for figure in FIGURES),
    ("worst", "the worst value over the region, for each figure on its own"),
    ("possible", "the best known for so many exposures at one place"),
)
