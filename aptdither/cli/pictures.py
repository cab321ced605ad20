"""``aptdither plot``, ``report`` and ``export``: what others look at, read and reuse."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptdither.cli.shared import (
    EXIT_FINE,
    ApertureOption,
    CatalogOption,
    DistortionOption,
    ElementOption,
    ForceOption,
    SeedOption,
    SizeOption,
    open_catalog,
    parse_pairs,
    parse_size_option,
    progress_bar,
    reported,
    say,
    usage,
)
from aptdither.errors import AptDitherError, Place, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aptdither.apt.proposal import Proposal
    from aptdither.apt.tags import Size
    from aptdither.files import Source
    from aptdither.judge import PlannedGroup
    from aptdither.report.exports import Sky
    from aptdither.report.survey import Survey

DEFAULT_APERTURE = "IR"
DEFAULT_ELEMENT = "F160W"
#: More rows of maps than this are no picture any more.
MOST_MAPS = 4
MOST_FITS = 4


class Picture(StrEnum):
    """What ``plot`` draws."""

    LAYOUT = "layout"
    FIELD = "field"
    MAP = "map"
    DISTORTION = "distortion"
    TRADEOFF = "tradeoff"
    FIT = "fit"
    SCALE = "scale"


class ExportFormat(StrEnum):
    """What ``export`` writes."""

    ECSV = "ecsv"
    MARKDOWN = "markdown"
    LATEX = "latex"
    DS9_SKY = "ds9-sky"
    DS9_DETECTOR = "ds9-detector"


PatternsOption = Annotated[
    list[str] | None,
    typer.Option("--pattern", metavar="NAME", help="A catalogue pattern; map takes several."),
]
PostargsOption = Annotated[
    list[str] | None,
    typer.Option("--postargs", metavar='"X,Y ..."', help="POS TARGs, arcsec; map takes several."),
]
ProposalOption = Annotated[
    Path | None, typer.Option("--proposal", metavar="IN.apt", help="The groups of a proposal.")
]
VisitOption = Annotated[
    str | None, typer.Option("--visit", help="One visit of the proposal; all of them.")
]
GroupOption = Annotated[
    int | None, typer.Option("--group", min=1, help="One of the groups, counted from 1.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a picture or an export is to be of, as given on the command line."""

    patterns: Sequence[str]
    postargs: Sequence[str]
    proposal: Path | None
    visit: str | None
    group: int | None
    aperture: str
    element: str
    size: str | None
    catalog: Path | None
    distortion: Path | None
    seed: int


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("plot")(plot)
    app.command("report")(report)
    app.command("export")(export)


@reported
def plot(
    kind: Annotated[
        Picture,
        typer.Argument(
            help="layout: offsets, phases, POS TARGs. field: phases at nine places. map: coverage "
            "over the detector. distortion: what a step becomes. tradeoff: what spacing costs. "
            "fit: predicted and observed positions. scale: A and B of each dataset."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="A .png, .svg or .pdf file.")
    ],
    pattern: PatternsOption = None,
    postargs: PostargsOption = None,
    proposal: ProposalOption = None,
    visit: VisitOption = None,
    group: GroupOption = None,
    aperture: ApertureOption = DEFAULT_APERTURE,
    element: ElementOption = DEFAULT_ELEMENT,
    size: SizeOption = None,
    step: Annotated[
        str, typer.Option("--step", metavar='"DX,DY ..."', help="distortion: steps, pixels.")
    ] = "10,0 0,10",
    n: Annotated[int, typer.Option("-n", min=2, help="tradeoff: number of points.")] = 4,
    measured: Annotated[
        Path | None,
        typer.Option("--measured", metavar="FILE", help="fit, scale: the table that fit reads."),
    ] = None,
    force: ForceOption = False,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
) -> int:
    """Draw a picture: PNG, SVG or PDF by the file's ending."""
    from aptdither import files

    with _matplotlib():
        from aptdither.report.figures.canvas import kind_of, render
    asked = Asked(
        patterns=pattern or (),
        postargs=postargs or (),
        proposal=proposal,
        visit=visit,
        group=group,
        aperture=aperture,
        element=element,
        size=size,
        catalog=catalog,
        distortion=distortion,
        seed=seed,
    )
    file_kind = kind_of(output)
    files.check_output(output, force=force)
    match kind:
        case Picture.LAYOUT | Picture.FIELD | Picture.MAP:
            draw, size_in = _picture_of_groups(kind, asked)
        case Picture.DISTORTION:
            draw, size_in = _picture_of_distortion(asked, step)
        case Picture.TRADEOFF:
            draw, size_in = _picture_of_tradeoff(asked, n)
        case Picture.FIT | Picture.SCALE:
            draw, size_in = _picture_of_fit(kind, asked, measured)
    data = render(draw, size_in, file_kind, title=f"aptdither plot {kind}")
    files.write_output(output, data, force=force)
    say(f"wrote {output}")
    return EXIT_FINE


@reported
def report(
    proposal: Annotated[
        Path, typer.Argument(metavar="IN.apt", help="The proposal, as APT saves it.")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.html", help="The page to write.")
    ],
    force: ForceOption = False,
    size: SizeOption = None,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
) -> int:
    """Write one page about a proposal: groups, pictures, findings and the change.

    The page needs no network and no script. It is written for untagged proposals too: what is
    there is judged as it stands.
    """
    from aptdither import files
    from aptdither.apt.rewrite import rewrite_proposal
    from aptdither.checks import Reviewer, ReviewOptions
    from aptdither.report.diff import unified_diff

    with _matplotlib():
        from aptdither.report.html import Subject, html_report
    source = files.read_input(proposal)
    files.check_output(output, source=source, force=force)
    asked_size = None if size is None else parse_size_option(size)
    with progress_bar("planning") as progress:
        parsed, survey = _surveyed(
            source, asked_size, catalog=catalog, distortion=distortion, seed=seed
        )
        reviewer = Reviewer(
            ReviewOptions(size=asked_size, catalog=catalog, distortion=distortion, seed=seed)
        )
        findings = list(reviewer.review(parsed).findings)
        diff = ""
        if survey.plan is not None:
            findings = list(dict.fromkeys((*survey.plan.findings, *findings)))
            new = rewrite_proposal(parsed, survey.plan.changes)
            names = (proposal.name, files.default_output(proposal).name)
            encoding = parsed.document.source_encoding
            diff = unified_diff(source.data, new, encoding=encoding, names=names)
        subject = Subject(
            path=proposal.name,
            sha256=source.sha256,
            phase2_id=parsed.phase2_id,
            apt_version=parsed.apt_version,
        )
        page = html_report(subject, survey, findings=findings, diff=diff, progress=progress)
    files.write_output(output, page.encode("utf-8"), force=force)
    say(f"wrote {output}")
    return EXIT_FINE


@reported
def export(
    fmt: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="ecsv: a table with units. markdown, latex: to paste. ds9-sky, ds9-detector: "
            "footprints.",
        ),
    ] = ExportFormat.ECSV,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to; standard output."),
    ] = None,
    pattern: PatternsOption = None,
    postargs: PostargsOption = None,
    proposal: ProposalOption = None,
    visit: VisitOption = None,
    group: GroupOption = None,
    aperture: ApertureOption = DEFAULT_APERTURE,
    element: ElementOption = DEFAULT_ELEMENT,
    size: SizeOption = None,
    orient: Annotated[
        float | None,
        typer.Option("--orient", help="ds9-sky: APT's ORIENT, the angle of U3, degrees."),
    ] = None,
    position: Annotated[
        str | None,
        typer.Option(
            "--position",
            metavar='"RA DEC"',
            help="ds9-sky: the target, sexagesimal or degrees; the proposal's own.",
        ),
    ] = None,
    force: ForceOption = False,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
) -> int:
    """Write POS TARGs as a table, or footprints as DS9 regions."""
    from aptdither import files
    from aptdither.report import exports

    if output is not None:
        files.check_output(output, force=force)
    asked = Asked(
        patterns=pattern or (),
        postargs=postargs or (),
        proposal=proposal,
        visit=visit,
        group=group,
        aperture=aperture,
        element=element,
        size=size,
        catalog=catalog,
        distortion=distortion,
        seed=seed,
    )
    groups = _groups(asked)
    match fmt:
        case ExportFormat.ECSV:
            text = exports.ecsv(groups)
        case ExportFormat.MARKDOWN:
            text = exports.markdown(groups)
        case ExportFormat.LATEX:
            text = exports.latex(groups)
        case ExportFormat.DS9_SKY:
            text = exports.ds9_sky(groups, _sky(asked, groups, orient, position))
        case ExportFormat.DS9_DETECTOR:
            text = exports.ds9_detector(groups)
    if output is None:
        sys.stdout.write(text)
        return EXIT_FINE
    files.write_output(output, text.encode("utf-8"), force=force)
    say(f"wrote {output}")
    return EXIT_FINE


# What pictures are of -----------------------------------------------------------------------------


def _picture_of_groups(
    kind: Picture, asked: Asked
) -> tuple[Callable[[Figure], None], tuple[float, float]]:
    from aptdither.report.figures import field, layout, maps

    groups = _groups(asked)
    if kind is Picture.MAP:
        if len(groups) > MOST_MAPS:
            raise _too_many(groups, f"a map shows at most {MOST_MAPS} groups")
        return partial(maps.draw_maps, groups=groups), maps.size_of(groups)
    if len(groups) > 1:
        raise _too_many(groups, f"{kind} shows one group")
    (group,) = groups
    if kind is Picture.FIELD:
        return partial(field.draw_field, group=group), field.FIELD_IN
    return partial(layout.draw_layout, group=group), layout.size_of(group)


def _picture_of_distortion(
    asked: Asked, step: str
) -> tuple[Callable[[Figure], None], tuple[float, float]]:
    from aptdither.optics.aperture import get_aperture
    from aptdither.report.figures import field

    steps = parse_pairs(step, "--step")
    with usage():
        aperture = get_aperture(asked.aperture, asked.element, distortion_file=asked.distortion)
    draw = partial(field.draw_distortion, aperture=aperture, steps_pix=steps)
    return draw, field.size_of_distortion(steps)


def _picture_of_tradeoff(
    asked: Asked, n: int
) -> tuple[Callable[[Figure], None], tuple[float, float]]:
    from aptdither.choose import region_of, tradeoff_of
    from aptdither.optics.aperture import get_aperture
    from aptdither.optics.filters import get_element
    from aptdither.report.figures import curves, words

    with usage():
        aperture = get_aperture(asked.aperture, asked.element, distortion_file=asked.distortion)
        element = get_element(asked.element)
    size = parse_size_option(asked.size)
    with progress_bar("searching") as progress:
        curve = tradeoff_of(n, aperture, element, size, seed=asked.seed, progress=progress)
    facts = [*words.setup_facts(aperture, element, n, region_of(size)), f"seed {asked.seed}"]
    return partial(curves.draw_tradeoff, points=curve, facts=facts), curves.TRADEOFF_IN


def _picture_of_fit(
    kind: Picture, asked: Asked, measured: Path | None
) -> tuple[Callable[[Figure], None], tuple[float, float]]:
    from aptdither.optics.aperture import get_aperture
    from aptdither.optics.fit import fit_dithers, read_measurements
    from aptdither.report.figures import curves

    if measured is None:
        raise UsageError(f"{kind} needs --measured FILE, the table that `aptdither fit` reads")
    with usage():
        aperture = get_aperture(asked.aperture, asked.element, distortion_file=asked.distortion)
    place = (aperture.x_ref_pix, aperture.y_ref_pix)
    fits = [fit_dithers(one, aperture) for one in read_measurements(measured, at=place)]
    facts = [f"{aperture.config} {aperture.name}", f"N = {sum(len(f.positions_pix) for f in fits)}"]
    if kind is Picture.SCALE:
        solutions = [
            curves.Solution(
                name=found.dataset,
                a=found.isr.a,
                b=found.isr.b,
                a_error=found.isr.a_error,
                b_error=found.isr.b_error,
            )
            for found in fits
        ]
        draw = partial(curves.draw_solutions, solutions=solutions, facts=facts)
        return draw, curves.SCALE_IN
    if len(fits) > MOST_FITS:
        raise UsageError(f"{measured} has {len(fits)} datasets; fit shows at most {MOST_FITS}")
    tracks = [
        curves.Track(
            name=found.dataset,
            labels=tuple(str(k + 1) for k in range(len(found.positions_pix))),
            predicted_pix=found.predicted_pix,
            observed_pix=found.positions_pix,
        )
        for found in fits
    ]
    draw = partial(curves.draw_fits, tracks=tracks, facts=facts)
    return draw, curves.size_of_fit(tracks)


def _groups(asked: Asked) -> list[PlannedGroup]:
    """Return the groups that are asked for, at least one."""
    is_direct = bool(asked.patterns or asked.postargs)
    if is_direct == (asked.proposal is not None):
        raise UsageError("give --pattern or --postargs, or a --proposal")
    if asked.visit is not None and asked.proposal is None:
        raise UsageError("--visit says which visit of a --proposal; give that too")
    groups = _groups_of_proposal(asked) if asked.proposal is not None else _groups_given(asked)
    if asked.group is not None:
        if asked.group > len(groups):
            raise UsageError(f"there is no group {asked.group}; there are {_listed(groups)}")
        return [groups[asked.group - 1]]
    return groups


def _groups_given(asked: Asked) -> list[PlannedGroup]:
    from aptdither.cli.design import _chosen_by_name, _chosen_from_postargs, _judged
    from aptdither.optics.aperture import get_aperture
    from aptdither.optics.filters import get_element

    with usage():
        aperture = get_aperture(asked.aperture, asked.element, distortion_file=asked.distortion)
        element = get_element(asked.element)
        chosen = [_chosen_by_name(name, asked.catalog, aperture) for name in asked.patterns]
    chosen += [_chosen_from_postargs(text) for text in asked.postargs]
    size = parse_size_option(asked.size)
    return [_judged(one, aperture, element, size, asked.seed) for one in chosen]


def _groups_of_proposal(asked: Asked) -> list[PlannedGroup]:
    from aptdither import files

    assert asked.proposal is not None
    source = files.read_input(asked.proposal)
    size = None if asked.size is None else parse_size_option(asked.size)
    _, survey = _surveyed(
        source,
        size,
        visit=asked.visit,
        catalog=asked.catalog,
        distortion=asked.distortion,
        seed=asked.seed,
    )
    for problem in survey.problems:
        say(f"aptdither: {problem}")
    if not survey.groups:
        raise UsageError(f"{asked.proposal} has no exposures that can be dithered and judged")
    return list(survey.groups)


def _surveyed(
    source: Source,
    size: Size | None,
    *,
    visit: str | None = None,
    catalog: Path | None,
    distortion: Path | None,
    seed: int,
) -> tuple[Proposal, Survey]:
    from aptdither.apt.proposal import parse_proposal
    from aptdither.report.survey import survey

    try:
        parsed = parse_proposal(source.data, path=str(source.path))
        found = survey(
            parsed,
            visit=visit,
            size=size,
            catalog=open_catalog(catalog),
            distortion=distortion,
            seed=seed,
        )
    except AptDitherError as error:
        raise error.located(Place(path=str(source.path))) from error
    return parsed, found


def _sky(
    asked: Asked, groups: Sequence[PlannedGroup], orient: float | None, position: str | None
) -> Sky:
    import math

    from aptdither import files
    from aptdither.apt.proposal import parse_proposal
    from aptdither.apt.targets import read_position, read_targets
    from aptdither.report.exports import Sky

    if orient is None or not math.isfinite(orient):
        raise UsageError(
            "ds9-sky needs --orient, the ORIENT of the visit: the angle of U3, degrees"
        )
    if position is not None:
        place = read_position(position)
        if place is None:
            raise UsageError(
                f"--position is {position!r}; allowed: '05 32 10.0 -66 12 00' or '83.04 -66.2'"
            )
        return Sky(ra_deg=place[0], dec_deg=place[1], orient_deg=orient)
    if asked.proposal is None:
        raise UsageError("ds9-sky needs --position, the target's right ascension and declination")
    data = files.read_input(asked.proposal).data
    visits = {group.visit for group in groups}
    names = {
        exposure.target_name
        for visit in parse_proposal(data, path=str(asked.proposal)).visits
        if visit.number in visits
        for exposure in visit.exposures
        if exposure.instrument == "WFC3"
    }
    known = read_targets(data, path=str(asked.proposal))
    if len(names) != 1 or not names <= known.keys():
        raise UsageError(
            f"the exposures look at {', '.join(sorted(names)) or 'nothing'}, and the proposal has "
            f"positions of {', '.join(sorted(known)) or 'no fixed target'}; give --visit for one "
            "target, or --position"
        )
    ra_deg, dec_deg = known[names.pop()]
    return Sky(ra_deg=ra_deg, dec_deg=dec_deg, orient_deg=orient)


def _too_many(groups: Sequence[PlannedGroup], words: str) -> UsageError:
    return UsageError(f"{words}, and there are {_listed(groups)}; give --visit or --group")


def _listed(groups: Sequence[PlannedGroup]) -> str:
    names = (
        f"{k} ({f'visit {group.visit}, ' if group.visit is not None else ''}{group.aperture.name} "
        f"{group.element.name}, {group.chosen.name})"
        for k, group in enumerate(groups, start=1)
    )
    return ", ".join(names)


@contextmanager
def _matplotlib() -> Iterator[None]:
    """Say in one line what is missing where matplotlib is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise UsageError(
            "pictures are drawn with matplotlib, which is not installed: "
            "pip install 'aptdither[plot]'"
        ) from error
