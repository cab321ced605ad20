"""What a report says about a group, in words and figures that every format shares.

:func:`headline` answers what an observer asks first; :func:`facts` and :func:`figures` are the
rest; :func:`overview` is a line for each group; :func:`blocks` puts setups that point alike
together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from aptdither.report.format import (
    FIGURE,
    FIGURES,
    Figure,
    counted,
    extent_in_words,
    numbers_in_words,
    region_in_words,
)
from aptdither.report.sanitize import safe_line
from aptdither.types import NO_OFFSET

if TYPE_CHECKING:
    from aptdither.findings import Finding
    from aptdither.optics.aperture import Aperture
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.planning.joint import JoinedSet

#: Chosen: E from which a scene counts as recovered (3% more noise than ideal sampling), and as
#: recovered with more noise (20%); ideal over actual variance, so the noise rises as its root.
RECOVERED, PARTLY_RECOVERED = 0.95, 0.7
#: Chosen: losses of E below this need no advice: 0.5% of noise.
SMALL_LOSS = 0.01
#: Chosen: above this unrecoverable fraction a summary says so.
MANY_LOST = 0.1
#: Below this share of the region that every exposure sees, the summary gives it.
MOST_SEEN = 0.975


class FigureRow(NamedTuple):
    """One figure of a group as text."""

    figure: Figure
    center: str
    worst: str
    possible: str


def figures(group: DitherGroup) -> list[FigureRow]:
    """Return the figures of a group at the center and the worst place, and what is possible."""
    places = (group.coverage.center, group.coverage.worst, group.possible)
    return [
        FigureRow(figure, *(figure.text(metrics, group.n) for metrics in places))
        for figure in FIGURES
    ]


def headline(group: DitherGroup | JoinedSet) -> list[tuple[str, str]]:
    """Return what an observer asks first: is the scene recovered, how safely, what limits it.

    Returns
    -------
    list of (str, str)
        A heading of one word and a sentence: ``sampling``, ``margin`` and ``limit``; without the
        last two where nothing is dithered.
    """
    efficiency = FIGURE["efficiency"]
    worst, n = group.coverage.worst, group.n
    if worst.efficiency >= RECOVERED:
        verdict = "the scene is recovered"
    elif worst.efficiency >= PARTLY_RECOVERED:
        verdict = f"the scene is recovered with {worst.efficiency**-0.5 - 1:.0%} more noise"
    else:
        verdict = "the scene is not recovered: aliasing remains"
    center = efficiency.text(group.coverage.center, n)
    quality = f"E {efficiency.text(worst, n)} at the worst place ({worst_place(group)})"
    answer = f"{verdict} at S/N {group.evaluation.view.snr:g} per exposure: {quality}, {center} at the center"
    lines = [("sampling", answer)]
    if len(group.evaluation.distinct_pointings) == 1:
        why = "all exposures are at one pointing" if n > 1 else "a single exposure"
        return [*lines, ("limit", f"{why}: nothing is dithered")]
    pointing = group.pointing
    low, high = (
        efficiency.write(value, n) for value in (pointing.efficiency_low, pointing.efficiency_high)
    )
    phases = ""
    if getattr(group, "clusters", 0) == 1:  # those of several are apart by chance
        phases = f"; phases {worst.packing_of_limit:.0%} of the maximum apart (d/d_N)"
    expected = low if low == high else f"{low} to {high}"
    lines.append(("margin", f"E {expected} with HST's pointing errors{phases}"))
    lost = worst.lost_fraction
    bright = f"; {lost:.0%} of the spatial frequencies are unrecoverable, which counts at high S/N"
    return [*lines, ("limit", _limit(group) + (bright if lost > MANY_LOST else ""))]


def _limit(group: DitherGroup | JoinedSet) -> str:
    """Return what costs most of the efficiency, and what would help."""
    pointing = group.pointing
    orbits = "keep the exposures of a filter in one orbit if you can"
    losses = (
        (
            "the number of exposures",
            1 - group.evaluation.possible_at_worst.efficiency,
            "take more exposures",
        ),
        (
            "the pattern",
            group.evaluation.possible_at_worst.efficiency - group.coverage.worst.efficiency,
            "a better pattern would help",
        ),
        (
            "pointing errors",
            pointing.efficiency_nominal - pointing.efficiency_median,
            orbits if pointing.orbits > 1 else "more exposures would help, another pattern hardly",
        ),
    )
    ranked = sorted(losses, key=lambda loss: -loss[1])
    if ranked[0][1] < SMALL_LOSS:
        return "none: exposures, pattern and pointing errors cost less than 0.01 of E each"
    (most, loss, advice), *others = ranked
    rest = "".join(f", {name} {loss:.2f}" for name, loss, _ in others if loss >= SMALL_LOSS / 2)
    return (
        f"{most} {'cost' if most.endswith('errors') else 'costs'} {loss:.2f} of E{rest}: {advice}"
    )


def worst_place(group: DitherGroup | JoinedSet) -> str:
    """Return where the efficiency is lowest, in words."""
    worst = group.coverage.worst_place
    return place_in_words(group.evaluation.view.aperture, worst.chip, worst.x_pix, worst.y_pix)


def worst_chip(group: DitherGroup | JoinedSet) -> str:
    """Return the name of the chip where the efficiency is lowest; empty where there is one chip."""
    aperture = group.evaluation.view.aperture
    return aperture.chip(group.coverage.worst_place.chip).name if len(aperture.chips) > 1 else ""


def place_in_words(aperture: Aperture, chip: int, x_pix: float, y_pix: float) -> str:
    """Return one place: ``pixel (1, 1014)``, with its chip where there are two."""
    name = f"{aperture.chip(chip).name} " if len(aperture.chips) > 1 else ""
    return f"{name}pixel ({x_pix:.0f}, {y_pix:.0f})"


_CLUSTERS = (
    "each a pattern by itself; over the field their phases drift past each other, so d of all "
    "points together says little"
)


def facts(group: DitherGroup, *, details: bool) -> list[tuple[str, str]]:
    """Return what a group is, a heading and a value each; with `details` also why and whence."""
    choice = group.choice
    seen = group.evaluation.seen_by_all
    is_grism, is_moved = group.element.kind == "grism", group.base != NO_OFFSET
    pairs = [
        ("tag", group.tag or ""),
        ("target", (group.exposures.target or "") if details else ""),
        ("pattern", f"{choice.name} ({choice.method})"),
        ("why", choice.why if details else ""),
        ("source", choice.source if details else ""),
        ("band", f"at {group.element.wavelength_nm:g} nm, the grism's middle" if is_grism else ""),
        ("clusters", f"{group.clusters}, {_CLUSTERS}" if group.clusters > 1 else ""),
        ("region", region_in_words(group.region)),
        ("base", f"POS TARG {group.base.text}; the offsets are added to it" if is_moved else ""),
        ("extent", extent_in_words(group)),
        ("seen", f"{seen:.0%} of the region by every exposure" if seen < MOST_SEEN else ""),
    ]
    return [(name, value) for name, value in pairs if value]


def blocks(groups: Iterable[DitherGroup]) -> list[tuple[DitherGroup, ...]]:
    """Return the groups, those that follow each other and point alike together."""

    def key(group: DitherGroup) -> object:
        points = group.points
        if has_old_numbers(group) or has_old_postargs(group):
            return id(group)  # its table has columns of its own
        where = tuple(point.pos_targ for point in points)
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
    numbers = {point.was or point.number for point in group.points}
    return [
        finding
        for finding in findings
        if finding.visit is not None
        and finding.visit == group.visit
        and finding.exposure in numbers
    ]


def overview(group: DitherGroup) -> tuple[str, ...]:
    """Return visit, exposures, setup, pattern, and E and d/d_N at center and worst place."""
    places = (group.coverage.center, group.coverage.worst)
    return (
        safe_line(group.visit or "-"),
        numbers_in_words([point.number for point in group.points]),
        setup_name(group),
        safe_line(group.choice.name),
        *(FIGURE["efficiency"].text(metrics, group.n) for metrics in places),
        *(FIGURE["packing_of_limit"].text(metrics, group.n) for metrics in places),
    )


def setup_name(group: DitherGroup) -> str:
    """Return a group's aperture and spectral element."""
    return f"{group.aperture.name} {group.element.name}"


def joined_name(joined: JoinedSet) -> str:
    """Return the visits, the setup and the number of exposures of what is worth something together."""
    visits, setup = ", ".join(map(safe_line, joined.visits)), joined.setup
    name = f" (id={safe_line(joined.id)})" if joined.id else ""
    done = ", completed visits with them" if joined.completed else ""
    where = (
        f"visit{'s' if len(joined.visits) > 1 else ''} {visits}, {setup.aperture} {setup.element}"
    )
    return f"Together, {where}: {counted(joined.n, 'exposure')}{name}{done}"


def block_name(block: Sequence[DitherGroup]) -> str:
    """Return the visit, the setups and the number of points of groups that point alike."""
    visit = "" if block[0].visit is None else f"Visit {safe_line(block[0].visit)}, "
    return f"{visit}{' + '.join(map(setup_name, block))}: {counted(block[0].n, 'point')}"


def coverage_sentence(group: DitherGroup) -> str:
    """Return one sentence on what a group is and how good its coverage is."""
    from aptdither.version import __version__

    visit = f"Visit {safe_line(group.visit)}: " if group.visit is not None else ""
    (e_center, e_worst), (d_center, d_worst) = (
        (row.center, row.worst) for row in figures(group) if row.figure.name in _QUOTED
    )
    return (
        f"{visit}{counted(group.n, 'point')} of {setup_name(group)} "
        f"({safe_line(group.choice.name)}), size {group.region.text}: de-aliasing efficiency "
        f"{e_center} at the center and {e_worst} at the worst place at S/N {group.evaluation.view.snr:g} per "
        f"exposure; packing distance {d_center} and {d_worst} of the theoretical maximum "
        f"(aptdither {__version__})"
    )


_QUOTED = ("efficiency", "packing_of_limit")
