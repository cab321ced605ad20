"""What every report says about a group, in words and figures.

:func:`headline` answers what an observer asks first; :func:`facts` and :func:`figures` are the
rest; :func:`overview` is a line for each group; :func:`blocks` puts setups that point alike
together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from aptdither.errors import Location
from aptdither.findings import Severity
from aptdither.report.sanitize import safe_line
from aptdither.types import NO_OFFSET, LengthUnit, Region, RegionKind

if TYPE_CHECKING:
    from aptdither.dither.bounds import PossibleMetrics
    from aptdither.dither.coverage import Metrics
    from aptdither.findings import Finding
    from aptdither.optics.aperture import Aperture
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.planning.joint import JoinedSet, Overlap

#: Chosen: E from which a scene counts as recovered (3% more noise than ideal sampling), and as
#: recovered with more noise (20%); ideal over actual variance, so the noise rises as its root.
RECOVERED, PARTLY_RECOVERED = 0.95, 0.7
#: Chosen: losses of E below this need no advice: 0.5% of noise.
SMALL_LOSS = 0.01
#: Chosen: above this unrecoverable fraction a summary says so.
MANY_LOST = 0.1
#: Below this share of the region that every exposure sees, the summary gives it.
MOST_SEEN = 0.975
#: How severities look in a terminal.
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}

_FEW_EXPOSURES = 3
_CLUSTERS = (
    "each a pattern by itself; over the field their phases drift past each other, so d of all "
    "points together says little"
)


# --- numbers and names ---------------------------------------------------------------------------


def decimals(value: float, digits: int = 3) -> str:
    """Return a number with fixed decimals, never minus zero.

    >>> decimals(-0.0004), decimals(2.5, 1)
    ('0.000', '2.5')
    """
    return f"{round(value, digits) + 0.0:.{digits}f}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "point"), counted(2, "point")
    ('1 point', '2 points')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def numbers_in_words(numbers: Iterable[str]) -> str:
    """Return exposure numbers with runs shortened.

    >>> numbers_in_words(["1", "2", "3", "5", "7", "8"])
    '1-3,5,7,8'
    """

    def start_of_run(placed: tuple[int, str]) -> int | None:
        place, number = placed
        return int(number) - place if number.isdecimal() else None

    words: list[str] = []
    for start, members in groupby(enumerate(numbers), start_of_run):
        run = [number for _, number in members]
        words += run if start is None or len(run) < 3 else [f"{run[0]}-{run[-1]}"]
    return safe_line(",".join(words), limit=40)


def location_of(finding: Finding, *, with_visit: bool = True) -> str:
    """Return where a finding is: ``visit 01, exposure 3, line 159``; empty where nothing is known."""
    visit = finding.visit if with_visit else None
    return safe_line(str(Location(visit=visit, exposure=finding.exposure, line=finding.line)))


def region_in_words(region: Region) -> str:
    """Return a region in a few words.

    >>> region_in_words(Region.disc(diameter_arcsec=30))
    'disc of 30 arcsec around the target'
    """
    if region.kind is RegionKind.FULL:
        return "full aperture"
    if region.kind is RegionKind.POINT:
        return "target position"
    unit = "arcsec" if region.unit is LengthUnit.ARCSEC else "pixels"
    return f"disc of {region.diameter:g} {unit} around the target"


def place_in_words(aperture: Aperture, chip: int, x_pix: float, y_pix: float) -> str:
    """Return one place: ``pixel (1, 1014)``, with its chip where there are two."""
    name = f"{aperture.chip(chip).name} " if len(aperture.chips) > 1 else ""
    return f"{name}pixel ({x_pix:.0f}, {y_pix:.0f})"


def worst_place(group: DitherGroup) -> str:
    """Return where the efficiency is lowest, in words."""
    worst = group.coverage.worst_place
    return place_in_words(group.evaluation.view.aperture, worst.chip, worst.x_pix, worst.y_pix)


def worst_chip(group: DitherGroup) -> str:
    """Return the name of the chip where the efficiency is lowest; empty where there is one chip."""
    aperture = group.evaluation.view.aperture
    return aperture.chip(group.coverage.worst_place.chip).name if len(aperture.chips) > 1 else ""


def setup_name(group: DitherGroup) -> str:
    """Return a group's aperture and spectral element."""
    return f"{group.aperture.name} {group.element.name}"


def overlap_sentence(overlap: Overlap) -> str:
    """Return one sentence on what two tiles are worth where they overlap."""
    first, second = overlap.groups
    n, figures = first.n + second.n, overlap.figures
    efficiency = efficiency_text(figures.efficiency, n)
    return (
        f"Tiles about POS TARG {first.base.text} and {second.base.text} of visit "
        f"{safe_line(first.visit or '')}, {setup_name(first)}: where they overlap ({figures.share:.0%} "
        f"of the first), E is {efficiency} and d/d_N {figures.packing_of_limit:.0%} with "
        f"{counted(n, 'exposure')}, each at its worst place"
    )


def block_name(block: Sequence[DitherGroup]) -> str:
    """Return the visit, the setups and the number of points of groups that point alike."""
    visit = "" if block[0].visit is None else f"Visit {safe_line(block[0].visit)}, "
    return f"{visit}{' + '.join(map(setup_name, block))}: {counted(block[0].n, 'point')}"


def joined_name(joined: JoinedSet) -> str:
    """Return the visits, the setup and the number of exposures of what is worth something together."""
    visits = [safe_line(visit.number) for visit in joined.visits]
    where = f"visit{'s' if len(visits) > 1 else ''} {', '.join(visits)}"
    setup = setup_name(joined)
    name = f" (id={safe_line(joined.id)})" if joined.id else ""
    return f"Together, {where}, {setup}: {counted(joined.n, 'exposure')}{name}"


def joined_headline(joined: JoinedSet) -> list[tuple[str, str]]:
    """Return the :func:`headline` of several visits, and for which of them it holds."""
    notes = ["completed ones count"] if joined.completed else []
    notes += ["if they are observed at one ORIENT"] if joined.may_be_turned else []
    return [*headline(joined), *([("visits", "; ".join(notes))] if notes else [])]


# --- figures -------------------------------------------------------------------------------------


class Figure(NamedTuple):
    """A figure of coverage: its field of ``Metrics``, its row's heading, what is good, its text."""

    name: str
    label: str
    meaning: str
    write: Callable[[float, int], str]

    def text(self, metrics: Metrics | PossibleMetrics, n: int) -> str:
        """Return the figure of some metrics of `n` exposures; ``-`` where there is none."""
        value = getattr(metrics, self.name)
        return "-" if value is None else self.write(value, n)


class FigureRow(NamedTuple):
    """One figure of a group as text."""

    figure: Figure
    center: str
    worst: str
    possible: str


def efficiency_text(value: float, n: int) -> str:
    """Return an efficiency of `n` exposures without the decimal that is only model.

    Two and three exposures depend on the pixel response and the width of the filter by some
    hundredths of E, four and more by a thousandth.

    >>> efficiency_text(0.8512, 3), efficiency_text(0.9942, 4)
    ('0.85', '0.994')
    """
    return decimals(value, 2 if n <= _FEW_EXPOSURES else 3)


FIGURES = (
    Figure(
        "efficiency",
        "efficiency E",
        "noise variance of ideal sampling over that of these exposures at the given S/N: "
        "0.99 is as good as ideal, 0.95 costs 3% in noise, 0.7 costs 20%",
        efficiency_text,
    ),
    Figure(
        "packing",
        "packing distance d, pixels",
        "smallest distance between two pixel phases; pointing errors are about 0.03 pixel",
        lambda value, n: decimals(value) if n > 1 else "-",
    ),
    Figure(
        "packing_of_limit",
        "fraction of the maximum",
        "d/d_N, where d_N is the largest d of N phases: 80% is good; near 0% two exposures "
        "repeat a phase",
        lambda value, n: f"{value:.0%}" if n > 1 else "-",
    ),
    Figure(
        "hole",
        "largest hole, pixels",
        "largest distance of any phase from the nearest exposure; near 'possible' is good",
        lambda value, _: decimals(value),
    ),
    Figure(
        "amplification",
        "noise amplification",
        "noise variance of exact de-aliasing, for bright sources: 1 is ideal, above 2 is poor",
        lambda value, _: f"{value:.2f}",
    ),
    Figure(
        "lost_fraction",
        "unrecoverable fraction",
        "spatial frequencies that no S/N recovers exactly: 0% is ideal; it hurts bright sources",
        lambda value, _: f"{value:.0%}",
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
#: The figures of an overview, at the center and the worst place each.
OVERVIEW = (FIGURE["efficiency"], FIGURE["packing_of_limit"])


def figures(group: DitherGroup) -> list[FigureRow]:
    """Return the figures of a group at the center and the worst place, and what is possible."""
    places = (group.coverage.center, group.coverage.worst, group.evaluation.possible)
    return [FigureRow(one, *(one.text(place, group.n) for place in places)) for one in FIGURES]


def overview_figures(group: DitherGroup) -> list[str]:
    """Return E and d/d_N, at center and worst place each."""
    places = (group.coverage.center, group.coverage.worst)
    return [figure.text(metrics, group.n) for figure in OVERVIEW for metrics in places]


def overview(group: DitherGroup) -> list[str]:
    """Return visit, exposures, setup, pattern, and E and d/d_N at center and worst place."""
    return [
        safe_line(group.visit or "-"),
        numbers_in_words(point.number for point in group.points),
        setup_name(group),
        safe_line(group.choice.name),
        *overview_figures(group),
    ]


# --- sentences -----------------------------------------------------------------------------------


def headline(group: DitherGroup) -> list[tuple[str, str]]:
    """Return what an observer asks first: is the scene recovered, how safely, what limits it.

    A word and a sentence each: ``sampling``, ``margin`` and ``limit``; without ``margin`` where
    nothing is dithered.
    """
    worst, n = group.coverage.worst, group.n
    if worst.efficiency >= RECOVERED:
        verdict = "the scene is recovered"
    elif worst.efficiency >= PARTLY_RECOVERED:
        verdict = f"the scene is recovered with {worst.efficiency**-0.5 - 1:.0%} more noise"
    else:
        verdict = "the scene is not recovered: aliasing remains"
    at_center, at_worst = (
        efficiency_text(place.efficiency, n) for place in (group.coverage.center, worst)
    )
    answer = (
        f"{verdict} at S/N {group.evaluation.view.snr:g} per exposure: "
        f"E {at_worst} at the worst place ({worst_place(group)}), {at_center} at the center"
    )
    lines = [("sampling", answer)]
    if len(group.evaluation.distinct_pointings) == 1:
        why = "all exposures are at one pointing" if n > 1 else "a single exposure"
        return [*lines, ("limit", f"{why}: nothing is dithered")]
    low, high = (
        efficiency_text(value, n)  # errors may even help a poor pattern
        for value in sorted((group.pointing.efficiency_low, group.pointing.efficiency_high))
    )
    phases = ""
    if group.clusters == 1:  # those of several are apart by chance
        phases = f"; phases {worst.packing_of_limit:.0%} of the maximum apart (d/d_N)"
    expected = low if low == high else f"{low} to {high}"
    lines.append(("margin", f"E {expected} with HST's pointing errors{phases}"))
    lost = worst.lost_fraction
    bright = f"; {lost:.0%} of the spatial frequencies are unrecoverable, which counts at high S/N"
    return [*lines, ("limit", _limit(group) + (bright if lost > MANY_LOST else ""))]


def _limit(group: DitherGroup) -> str:
    """Return what costs most of the efficiency, and what would help."""
    possible, pointing = group.evaluation.possible_at_worst.efficiency, group.pointing
    by_errors = "pointing errors cost"
    advice = {
        "the number of exposures costs": "take more exposures",
        "the pattern costs": "smaller steps would help (spacing=tight), or more exposures"
        if group.exposures.prime is None
        and group.min_separation_pix > 2 * group.aperture.detector.tight_spacing_pix
        else "a better pattern would help",
        by_errors: "keep the exposures of a filter in one orbit if you can"
        if pointing.orbits > 1
        else "more exposures would help, another pattern hardly",
    }
    losses = (
        1 - possible,
        possible - group.coverage.worst.efficiency,
        pointing.efficiency_nominal - pointing.efficiency_median,
    )
    ranked = sorted(zip(losses, advice, strict=True), key=lambda one: -one[0])
    (loss, most), *others = ranked
    if loss < SMALL_LOSS:
        return "none: exposures, pattern and pointing errors cost less than 0.01 of E each"
    rest = "".join(
        f", {name.rpartition(' ')[0]} {value:.2f}"
        for value, name in others
        if value >= SMALL_LOSS / 2
    )
    return f"{most} {loss:.2f} of E{rest}: {advice[most]}"


def facts(group: DitherGroup, *, details: bool) -> list[tuple[str, str]]:
    """Return what a group is, a heading and a value each; with `details` also why and whence."""
    choice, seen, base = group.choice, group.evaluation.seen_by_all, group.base
    extent = "no offsets"
    if group.span_pix:
        extent = (
            f"closest pair {group.min_separation_pix:.1f}, total extent {group.span_pix:.1f} pix; "
            f"slew overhead about {group.slew_seconds:.0f} s"
        )
    is_grism = group.element.kind == "grism"
    pairs = [
        ("tag", group.tag),
        ("target", details and group.exposures.target),
        ("pattern", f"{choice.name} ({choice.method})"),
        ("why", details and choice.why),
        ("source", details and choice.source),
        ("band", is_grism and f"at {group.element.wavelength_nm:g} nm, the grism's middle"),
        ("clusters", group.clusters > 1 and f"{group.clusters}, {_CLUSTERS}"),
        ("region", region_in_words(group.region)),
        ("base", base != NO_OFFSET and f"POS TARG {base.text}; the offsets are added to it"),
        ("extent", extent),
        ("seen", seen < MOST_SEEN and f"{seen:.0%} of the region by every exposure"),
    ]
    return [(name, value) for name, value in pairs if value]


def coverage_sentence(group: DitherGroup) -> str:
    """Return one sentence on what a group is and how good its coverage is."""
    from aptdither.version import __version__

    visit = f"Visit {safe_line(group.visit)}: " if group.visit is not None else ""
    e_center, e_worst, d_center, d_worst = overview_figures(group)
    return (
        f"{visit}{counted(group.n, 'point')} of {setup_name(group)} "
        f"({safe_line(group.choice.name)}), size {group.region.text}: de-aliasing efficiency "
        f"{e_center} at the center and {e_worst} at the worst place at "
        f"S/N {group.evaluation.view.snr:g} per exposure; packing distance {d_center} and {d_worst} "
        f"of the theoretical maximum (aptdither {__version__})"
    )


# --- groups and their findings -------------------------------------------------------------------


def blocks(groups: Iterable[DitherGroup]) -> list[tuple[DitherGroup, ...]]:
    """Return the groups, those that follow each other and point alike together."""

    def key(group: DitherGroup) -> object:
        if has_old_numbers(group) or has_old_postargs(group):
            return id(group)  # its table has columns of its own
        where = tuple(point.pos_targ for point in group.points)
        return group.visit, group.tag, group.choice.name, group.region, group.base, where

    return [tuple(alike) for _, alike in groupby(groups, key)]


def has_old_numbers(group: DitherGroup) -> bool:
    """Tell whether a planned group has exposures that are new or get another number."""
    return any(p.was != p.number for p in group.points) and any(p.was for p in group.points)


def has_old_postargs(group: DitherGroup) -> bool:
    """Tell whether a group has explicit POS TARGs that the plan changes."""
    return any(point.old_pos_targ not in (None, point.pos_targ) for point in group.points)


def findings_of(group: DitherGroup, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings about a group's exposures, in its new numbers or its old ones."""
    numbers = {(group.visit, point.was or point.number) for point in group.points}
    return [one for one in findings if (one.visit, one.exposure) in numbers]
