"""``aptdither patterns``, ``evaluate`` and ``optimize``: patterns apart from any proposal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptdither.cli.options import (
    EXIT_FINE,
    ApertureOption,
    CatalogOption,
    DistortionOption,
    ElementOption,
    ForceOption,
    Format,
    FormatOption,
    NoColorOption,
    SeedOption,
    SizeOption,
    SpacingOption,
    exit_on_error,
    open_catalog,
    out,
    parse_pairs,
    parse_size_option,
    print_json,
    progress_bar,
    say,
    usage,
)
from aptdither.errors import UsageError
from aptdither.types import Region, Spacing

if TYPE_CHECKING:
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.filters import SpectralElement
    from aptdither.planning.evaluation import DitherGroup

DEFAULT_APERTURE = "IR"
DEFAULT_ELEMENT = "F160W"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("patterns")(patterns)
    app.command("evaluate")(evaluate)
    app.command("optimize")(optimize)


@exit_on_error
def patterns(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One pattern, in full.")
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="List the coverage of each pattern, to compare.")
    ] = False,
    aperture: ApertureOption = DEFAULT_APERTURE,
    element: ElementOption = DEFAULT_ELEMENT,
    size: SizeOption = None,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
    fmt: FormatOption = Format.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """List the catalogue, or show one pattern: pixels, POS TARGs, source, coverage."""
    known = open_catalog(catalog)
    from aptdither.planning.choice import choice_from_catalog
    from aptdither.planning.evaluation import evaluate_pattern

    if name is None and coverage:
        with usage():
            where, optics, asked = (
                _aperture(aperture, element, distortion),
                _element(element, aperture),
                parse_size_option(size),
            )
        groups = [
            evaluate_pattern(
                choice_from_catalog(pattern, where, "listed"), where, optics, asked, seed
            )
            for pattern in sorted(known, key=lambda pattern: pattern.n)
        ]
        if fmt is Format.JSON:
            from aptdither.report.json import groups_report

            print_json(groups_report("patterns", groups, seed=seed))
        else:
            from aptdither.report.text import comparison_table

            out(no_color=no_color).print(comparison_table(groups))
        return EXIT_FINE
    if name is None:
        if fmt is Format.JSON:
            from aptdither.report.json import catalog_report

            print_json(catalog_report(known))
        else:
            from aptdither.report.text import catalog_table

            out(no_color=no_color).print(catalog_table(known))
        return EXIT_FINE
    with usage():
        pattern = known.get(name)
        where = _aperture(aperture, element, distortion)
        chosen = choice_from_catalog(pattern, where, "it was asked for")
        group = evaluate_pattern(
            chosen, where, _element(element, aperture), parse_size_option(size), seed
        )
    _print_groups("patterns", [group], fmt, seed=seed, no_color=no_color)
    return EXIT_FINE


@exit_on_error
def evaluate(
    postargs: Annotated[
        str | None,
        typer.Option("--postargs", metavar='"X,Y ..."', help="POS TARGs, arcsec."),
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--pattern", metavar="NAME", help="A catalogue pattern.")
    ] = None,
    proposal: Annotated[
        Path | None,
        typer.Option("--proposal", metavar="IN.apt", help="The exposures of a proposal."),
    ] = None,
    visit: Annotated[
        str | None, typer.Option("--visit", help="One visit of the proposal; all of them.")
    ] = None,
    aperture: ApertureOption = DEFAULT_APERTURE,
    element: ElementOption = DEFAULT_ELEMENT,
    size: SizeOption = None,
    catalog: CatalogOption = None,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
    fmt: FormatOption = Format.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """Tell how well any POS TARGs cover the pixel, at the centre and at the worst place.

    With --proposal the aperture and the element are the exposures' own.
    """
    given = [option for option in (postargs, pattern, proposal) if option is not None]
    if len(given) != 1:
        raise UsageError("give one of --postargs, --pattern and --proposal")
    if visit is not None and proposal is None:
        raise UsageError("--visit says which visit of a --proposal; give that too")
    if proposal is not None:
        asked = None if size is None else parse_size_option(size)
        groups = _groups_of_proposal(proposal, visit, asked, distortion, seed)
    else:
        from aptdither.planning.choice import choice_as_given, choice_from_catalog
        from aptdither.planning.evaluation import evaluate_pattern

        with usage():
            where = _aperture(aperture, element, distortion)
            if postargs is not None:
                chosen = choice_as_given(parse_pairs(postargs, "--postargs"))
            else:
                found = open_catalog(catalog).get(pattern or "")
                chosen = choice_from_catalog(found, where, "it was asked for")
            groups = [
                evaluate_pattern(
                    chosen, where, _element(element, aperture), parse_size_option(size), seed
                )
            ]
    _print_groups("evaluate", groups, fmt, seed=seed, no_color=no_color)
    return EXIT_FINE


@exit_on_error
def optimize(
    n: Annotated[int, typer.Option("-n", min=1, help="Number of points.")],
    aperture: ApertureOption = DEFAULT_APERTURE,
    element: ElementOption = DEFAULT_ELEMENT,
    size: SizeOption = None,
    spacing: SpacingOption = None,
    tradeoff: Annotated[
        bool, typer.Option("--tradeoff", help="Print what each spacing costs, tight to wide.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the pattern as ECSV."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the pattern in the ECSV file.")
    ] = None,
    force: ForceOption = False,
    distortion: DistortionOption = None,
    seed: SeedOption = 0,
    fmt: FormatOption = Format.TEXT,
    no_color: NoColorOption = False,
) -> int:
    """Design a pattern for an aperture, a spectral element, a region and a spacing."""
    from aptdither.dither.pattern import check_name
    from aptdither.io import files
    from aptdither.planning.choice import design, spacing_of, tradeoff_of

    asked = parse_size_option(size)
    wanted = spacing_of(_spacing(spacing), asked)
    if output is not None:
        files.check_output(output, force=force)
    with usage():
        if output is not None:
            check_name(name or output.stem)  # before a minute of searching, not after it
        where, optics = _aperture(aperture, element, distortion), _element(element, aperture)
        with progress_bar("searching") as progress:
            if tradeoff:
                curve = tradeoff_of(n, where, optics, asked, seed=seed, progress=progress)
            else:
                chosen = design(n, where, optics, asked, wanted, seed=seed, progress=progress)
    if tradeoff:
        if fmt is Format.JSON:
            from aptdither.report.json import tradeoff_report

            print_json(tradeoff_report(curve, where, optics, seed=seed))
        else:
            from aptdither.report.text import tradeoff_table

            out(no_color=no_color).print(tradeoff_table(curve, where, optics))
        return EXIT_FINE
    if output is not None:
        from aptdither.dither.catalog_ecsv import write_ecsv
        from aptdither.planning.choice import as_pattern

        text = io.StringIO()
        write_ecsv(as_pattern(chosen, name or output.stem), text)
        files.write_output(output, text.getvalue().encode(), force=force)
        say(f"wrote {output}: use it with --catalog {output}")
    from aptdither.planning.evaluation import evaluate_pattern

    group = evaluate_pattern(chosen, where, optics, asked, seed)
    _print_groups("optimize", [group], fmt, seed=seed, no_color=no_color)
    return EXIT_FINE


def _aperture(name: str, element: str, distortion: Path | None) -> Aperture:
    from aptdither.optics.aperture import get_aperture

    return get_aperture(name, element, distortion_file=distortion)


def _element(name: str, aperture: str) -> SpectralElement:
    from aptdither.optics.aperture import get_aperture
    from aptdither.optics.filters import get_element

    return get_element(name, get_aperture(aperture).config)


def _spacing(text: str | None) -> Spacing | None:
    from aptdither.apt.tags import parse_spacing

    with usage():
        return None if text is None else parse_spacing(text)


def _groups_of_proposal(
    path: Path, visit: str | None, size: Region | None, distortion: Path | None, seed: int
) -> list[DitherGroup]:
    """Evaluate the sets of a proposal as they stand, dithered or not."""
    from aptdither.apt.proposal import parse_proposal
    from aptdither.io import files
    from aptdither.planning.evaluation import Evaluator, evaluate_observed
    from aptdither.planning.pointings import observe

    proposal = parse_proposal(files.read_input(path).data, path=str(path))
    visits = [seen for seen in observe(proposal) if visit in (None, seen.visit.number)]
    if visit is not None and not visits:
        numbers = ", ".join(seen.number for seen in proposal.visits) or "none"
        raise UsageError(f"{path} has no visit {visit!r}; it has {numbers}")
    for seen in visits:
        for unjudged in seen.unjudged:
            listed = ", ".join(exposure.number for exposure in unjudged.exposures)
            say(f"visit {seen.visit.number}, exposure {listed}: not judged: {unjudged.reason}")
    judge = Evaluator(seed=seed)
    groups = [
        evaluate_observed(judge, found, size=size, distortion=distortion)
        for seen in visits
        for found in seen.sets
    ]
    if not groups:
        say(f"{path}: no WFC3/IR exposures to judge")
    return groups


def _print_groups(
    command: str, groups: Sequence[DitherGroup], fmt: Format, *, seed: int, no_color: bool
) -> None:
    if fmt is Format.JSON:
        from aptdither.report.json import groups_report

        print_json(groups_report(command, groups, seed=seed))
        return
    from aptdither.report.text import group_summary

    console = out(no_color=no_color)
    for group in groups:
        console.print(group_summary(group))
