"""The hall, where the document wing and the telescope wing meet: a proposal becomes a plan.

A plan says for every tagged set which pattern it gets, which POS TARG each exposure gets, how good
the phase coverage is, and what has to change in the file. Making it reads no disk, prints nothing
and takes randomness only from a seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aptdither.apt.limits import MAX_POINTS, MAX_VISIT_EXPOSURES
from aptdither.apt.proposal import Exposure, Proposal, Visit
from aptdither.apt.tags import DitherRequest, Receipt
from aptdither.apt.writer import Changes, ExposureChange, NewPosition
from aptdither.dither.catalog import Catalog, load_catalog
from aptdither.dither.clusters import split_counts
from aptdither.errors import AptDitherError, Location, RefusalError, raise_all
from aptdither.findings import Finding
from aptdither.optics.aperture import Aperture, get_aperture
from aptdither.optics.filters import get_element
from aptdither.planning.choice import PatternChoice, choose_pattern
from aptdither.planning.evaluation import DitherGroup, Evaluator, Point
from aptdither.planning.selection import DitherSet, SetOptions, Unit, find_sets
from aptdither.types import PosTarg, Progress, Region, Setup
from aptdither.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is asked for beside the tags.

    Attributes
    ----------
    defaults : DitherRequest
        Values for the tags that are silent.
    sets : SetOptions
        What is allowed beyond the careful default.
    catalog : Catalog or None
        The patterns to choose from; None for the built-in catalogue.
    distortion : pathlib.Path or None
        A distortion file (IDCTAB) in place of the SIAF's polynomials.
    seed : int
        Where all randomness comes from.
    """

    defaults: DitherRequest = field(default_factory=DitherRequest)
    sets: SetOptions = field(default_factory=SetOptions)
    catalog: Catalog | None = None
    distortion: Path | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a proposal becomes.

    Attributes
    ----------
    groups : tuple of DitherGroup
        One for each setup of each tagged set.
    changes : Changes
        What has to change in the file.
    findings : tuple of Finding
        What the observer should know.
    seed : int
        The seed it was made with.
    """

    groups: tuple[DitherGroup, ...]
    changes: Changes
    findings: tuple[Finding, ...]
    seed: int


def make_plan(
    proposal: Proposal, options: Options | None = None, *, progress: Progress | None = None
) -> Plan:
    """Plan the dithers that the tags of a proposal ask for.

    Parameters
    ----------
    proposal : Proposal
        The proposal as read.
    options : Options, optional
        What is asked for beside the tags.
    progress : callable, optional
        Called with a fraction and a few words while a pattern is being searched.

    Returns
    -------
    Plan
        Empty when nothing is tagged.

    Raises
    ------
    AptDitherError
        Everything that stands in the way, listed together; nothing is planned then.
    """
    options = options or Options()
    sets, findings = find_sets(proposal, options.sets)
    planner = _Planner(options, progress)
    errors: list[AptDitherError] = []
    drafts: list[_GroupDraft] = []
    for dither_set in sets:
        try:
            drafts.extend(planner.plan_set(dither_set))
        except AptDitherError as error:
            errors.append(error.located(dither_set.location))
    raise_all(errors)
    changes = Changes(
        exposures=tuple(change for draft in drafts for change in draft.changes),
        unwrapped=tuple(group for dither_set in sets for group in dither_set.unwrapped),
    )
    numbers = _new_numbers(sets, changes)
    raise_all(_too_many(sets, changes))
    groups = tuple(planner.finish(draft, numbers) for draft in drafts)
    followers = tuple(_followers(sets))
    return Plan(
        groups=groups,
        changes=changes,
        findings=(*findings, *planner.findings, *followers),
        seed=options.seed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _GroupDraft:
    """A planned group before its exposures have their new numbers."""

    dither_set: DitherSet
    setup: Setup
    choice: PatternChoice
    sizes: tuple[int, ...]
    size: Region
    offsets_arcsec: NDArray[np.float64]
    changes: tuple[ExposureChange, ...]


class _Planner:
    """Plans set after set; equal questions are answered once."""

    def __init__(self, options: Options, progress: Progress | None) -> None:
        self.options = options
        self.progress = progress
        self.catalog = options.catalog or load_catalog()
        self.findings: list[Finding] = []
        self._chosen: dict[object, PatternChoice] = {}
        self.judge = Evaluator(seed=options.seed)

    def aperture(self, setup: Setup) -> Aperture:
        """Return the aperture of a setup."""
        return get_aperture(
            setup.aperture,
            setup.element,
            config=setup.config,
            distortion_file=self.options.distortion,
        )

    def plan_set(self, dither_set: DitherSet) -> list[_GroupDraft]:
        """Choose patterns for one set and say what each of its exposures becomes."""
        request = _with_defaults(dither_set.request, self.options.defaults)
        size = request.size or Region.full()
        setups = dither_set.by_setup()
        errors: list[AptDitherError] = []
        layouts: dict[tuple[int, ...], list[Setup]] = {}
        for setup, units in setups.items():
            try:
                self.aperture(setup)
                get_element(setup.element, config=setup.config)
                layouts.setdefault(cluster_sizes(request, setup, units, self.catalog), []).append(
                    setup
                )
            except AptDitherError as error:
                location = replace(
                    dither_set.location,
                    exposure=units[0].exposure.number,
                    line=units[0].exposure.line,
                )
                errors.append(error.located(location))
        raise_all(errors)
        if len(layouts) > 1:
            self.findings.append(
                Finding.of(
                    "ADT107",
                    "the setups have different numbers of points ("
                    + "; ".join(
                        f"{', '.join(f'{s.aperture} {s.element}' for s in members)}: {sum(sizes)}"
                        for sizes, members in layouts.items()
                    )
                    + "), so each has a pattern of its own; give n= to share one",
                    dither_set.location,
                )
            )
        drafts: list[_GroupDraft] = []
        for sizes, members in layouts.items():
            choice = self._choose(request, size, sizes, members, dither_set.base)
            offsets = choice.offsets
            drafts.extend(
                _GroupDraft(
                    dither_set=dither_set,
                    setup=setup,
                    choice=choice,
                    sizes=sizes,
                    size=size,
                    offsets_arcsec=offsets,
                    changes=_changes(setups[setup], dither_set.base, offsets, choice.name),
                )
                for setup in members
            )
            if sum(sizes) == 1:
                self.findings.append(
                    Finding.of(
                        "ADT107",
                        "one exposure at one point is no dither; give n= to expand it, or an id to "
                        "join exposures",
                        dither_set.location,
                    )
                )
        return drafts

    def _choose(
        self,
        request: DitherRequest,
        size: Region,
        sizes: tuple[int, ...],
        setups: Sequence[Setup],
        base: PosTarg,
    ) -> PatternChoice:
        key = (request, size, sizes, tuple(setups), base)
        if key not in self._chosen:
            self._chosen[key] = choose_pattern(
                sizes,
                request=request,
                size=size,
                aperture=self.aperture(setups[0]),
                elements=tuple(get_element(s.element, config=s.config) for s in setups),
                base=(base.x_arcsec, base.y_arcsec),
                catalog=self.catalog,
                seed=self.options.seed,
                progress=self.progress,
            )
        return self._chosen[key]

    def finish(self, draft: _GroupDraft, numbers: dict[int, list[str]]) -> DitherGroup:
        """Evaluate a planned group and give its exposures their new numbers."""
        dither_set = draft.dither_set
        exposures = [
            Point(
                number=numbers[change.exposure.node][j],
                was=change.exposure.number if j == 0 else None,
                pos_targ=pointing.pos_targ,
                old_pos_targ=change.exposure.pos_targ if j == 0 else None,
                orbit=_orbit(change.exposure, j),
            )
            for change in draft.changes
            for j, pointing in enumerate(change.pointings)
        ]
        return self.judge.group(
            exposures,
            aperture=self.aperture(draft.setup),
            element=get_element(draft.setup.element, config=draft.setup.config),
            size=draft.size,
            base=dither_set.base,
            choice=draft.choice,
            clusters=len(draft.sizes),
            visit=dither_set.visit.number,
            tag=dither_set.tag,
        )


def cluster_sizes(
    request: DitherRequest, setup: Setup, units: Sequence[Unit], catalog: Catalog
) -> tuple[int, ...]:
    """Return the number of points of each cluster; their sum is the number of exposures.

    Raises
    ------
    RefusalError
        If the exposures do not fit the number of points, or the pattern.
    CatalogError
        If the pattern is not in the catalogue.
    """
    m = sum(unit.runs for unit in units)
    of_pattern = catalog.get(request.pattern).n if request.pattern is not None else None
    n = request.n or of_pattern or m
    if m != 1 and m % n:
        asked = f"n={n}"
        if not request.n and of_pattern is not None:
            asked = f"the {n} points of {request.pattern}"
        raise RefusalError(
            f"{m} exposures of {setup.aperture} {setup.element} do not fit {asked}; allowed: "
            f"1 exposure (it is expanded to {n}), {n}, or a multiple of {n}"
        )
    total = n if m == 1 else m
    if total > MAX_POINTS:
        raise RefusalError(
            f"{total} exposures of {setup.aperture} {setup.element} are to be dithered together; at "
            f"most {MAX_POINTS} can be: give each cluster a group of its own"
        )
    if of_pattern is None:
        return split_counts(n) * (total // n)
    if total % of_pattern:
        raise RefusalError(
            f"pattern {request.pattern} has {of_pattern} points, and {total} exposures of "
            f"{setup.aperture} {setup.element} are no multiple of that; give n={of_pattern} "
            "or another pattern"
        )
    return (of_pattern,) * (total // of_pattern)


def _with_defaults(request: DitherRequest, defaults: DitherRequest) -> DitherRequest:
    silent = {
        key.name: getattr(defaults, key.name)
        for key in fields(request)
        if getattr(request, key.name) is None
    }
    return replace(request, **silent)


def _changes(
    units: Sequence[Unit], base: PosTarg, offsets: NDArray[np.float64], pattern: str
) -> tuple[ExposureChange, ...]:
    """Hand the points to the exposures of one setup, in document order."""
    total = len(offsets)
    expands = len(units) == 1 and units[0].runs == 1 and total > 1
    changes: list[ExposureChange] = []
    index = 0

    def pointing(made_by: str) -> NewPosition:
        nonlocal index
        x_arcsec, y_arcsec = offsets[index]
        index += 1
        return NewPosition(
            pos_targ=PosTarg(
                x_arcsec=_rounded(base.x_arcsec + x_arcsec),
                y_arcsec=_rounded(base.y_arcsec + y_arcsec),
            ),
            receipt=Receipt(
                index=index,
                total=total,
                pattern=pattern,
                base_x_arcsec=base.x_arcsec,
                base_y_arcsec=base.y_arcsec,
                version=__version__,
                made_by=made_by,
            ),
        )

    for unit in units:
        made_before = unit.receipt.made_by if unit.receipt is not None else ""
        if expands and len(unit.copies) == total - 1:
            changes.append(ExposureChange(exposure=unit.exposure, pointings=(pointing(""),)))
            changes += [
                ExposureChange(exposure=copy, pointings=(pointing("copy"),)) for copy in unit.copies
            ]
            continue
        # Copies of an earlier run that do not fit go; what is needed is made anew.
        own = [pointing(made_before)]
        own += [
            pointing("copy" if expands else "split")
            for _ in range(1, total if expands else unit.runs)
        ]
        changes.append(
            ExposureChange(exposure=unit.exposure, pointings=tuple(own), deal=unit.runs > 1)
        )
        changes += [ExposureChange(exposure=copy, pointings=()) for copy in unit.copies]
    return tuple(changes)


def _rounded(arcsec: float) -> float:
    """Return what three decimals keep; never minus zero."""
    return round(float(arcsec), 3) + 0.0


def _orbit(exposure: Exposure, j: int) -> int | None:
    numbers = exposure.orbit_numbers
    return numbers[min(j, len(numbers) - 1)] if numbers else None


def _new_numbers(sets: Iterable[DitherSet], changes: Changes) -> dict[int, list[str]]:
    """Return the numbers that the exposures of the touched visits have in the new file."""
    by_node = {change.exposure.node: len(change.pointings) for change in changes.exposures}
    visits: dict[int, Visit] = {dither_set.visit.node: dither_set.visit for dither_set in sets}
    numbers: dict[int, list[str]] = {}
    for visit in visits.values():
        exposures = tuple(visit.exposures)
        if all(by_node.get(exposure.node, 1) == 1 for exposure in exposures):
            numbers.update({exposure.node: [exposure.number] for exposure in exposures})
            continue
        number = 0
        for exposure in exposures:
            count = by_node.get(exposure.node, 1)
            numbers[exposure.node] = [str(number + j + 1) for j in range(count)]
            number += count
    return numbers


def _too_many(sets: Iterable[DitherSet], changes: Changes) -> Iterator[AptDitherError]:
    """Yield an error for each visit that would hold more exposures than are read again."""
    added = {change.exposure.node: len(change.pointings) - 1 for change in changes.exposures}
    for visit in {one.visit.node: one.visit for one in sets}.values():
        count = sum(1 + added.get(exposure.node, 0) for exposure in visit.exposures)
        if count > MAX_VISIT_EXPOSURES:
            yield RefusalError(
                f"the visit would have {count} exposures; at most {MAX_VISIT_EXPOSURES} are "
                "handled: ask for fewer points, or split the visit",
                location=Location(visit=visit.number, line=visit.line),
            )


def _followers(sets: Iterable[DitherSet]) -> Iterable[Finding]:
    """Yield a finding for each exposure outside a set that takes its place from one inside."""
    inside: dict[int, set[str]] = {}
    visits: dict[int, Visit] = {}
    for dither_set in sets:
        visits[dither_set.visit.node] = dither_set.visit
        inside.setdefault(dither_set.visit.node, set()).update(
            exposure.number
            for unit in dither_set.units
            for exposure in (unit.exposure, *unit.copies)
        )
    for node, visit in visits.items():
        for exposure in visit.exposures:
            if exposure.number not in inside[node] and exposure.same_pos_as in inside[node]:
                yield Finding.of(
                    "ADT401",
                    f"SamePosAs {exposure.same_pos_as} follows a dithered exposure to its "
                    "new place (after an expansion: to the first point); it is not dithered itself",
                    Location(visit=visit.number, exposure=exposure.number, line=exposure.line),
                )
