"""What a picture or an export is of: patterns, POS TARGs, or the groups of a proposal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptdither.cli.options import open_catalog, parse_pairs, parse_size_option, say, usage
from aptdither.errors import AptDitherError, Location, UsageError
from aptdither.types import Region

if TYPE_CHECKING:
    from aptdither.apt.proposal import Proposal
    from aptdither.io.files import Source
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.planning.survey import Survey

DEFAULT_APERTURE = "IR"
DEFAULT_ELEMENT = "F160W"

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
class PlotInputs:
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


def groups_of(asked: PlotInputs) -> list[DitherGroup]:
    """Return the groups that are asked for, at least one."""
    is_direct = bool(asked.patterns or asked.postargs)
    if is_direct == (asked.proposal is not None):
        raise UsageError("give --pattern or --postargs, or a --proposal")
    if asked.visit is not None and asked.proposal is None:
        raise UsageError("--visit says which visit of a --proposal; give that too")
    groups = _of_proposal(asked) if asked.proposal is not None else _given(asked)
    if asked.group is not None:
        if asked.group > len(groups):
            raise UsageError(f"there is no group {asked.group}; there are {_listed(groups)}")
        return [groups[asked.group - 1]]
    return groups


def _given(asked: PlotInputs) -> list[DitherGroup]:
    from aptdither.optics.aperture import get_aperture
    from aptdither.optics.filters import get_element
    from aptdither.planning.choice import choice_as_given, choice_from_catalog
    from aptdither.planning.evaluation import evaluate_pattern

    with usage():
        aperture = get_aperture(asked.aperture, asked.element, distortion_file=asked.distortion)
        element = get_element(asked.element, aperture.config)
        catalog = open_catalog(asked.catalog)
        chosen = [
            choice_from_catalog(catalog.get(name), aperture, "it was asked for")
            for name in asked.patterns
        ]
    chosen += [choice_as_given(parse_pairs(text, "--postargs")) for text in asked.postargs]
    size = parse_size_option(asked.size)
    return [evaluate_pattern(one, aperture, element, size, asked.seed) for one in chosen]


def _of_proposal(asked: PlotInputs) -> list[DitherGroup]:
    from aptdither.io import files

    assert asked.proposal is not None
    source = files.read_input(asked.proposal)
    size = None if asked.size is None else parse_size_option(asked.size)
    _, survey = surveyed(
        source,
        size,
        visit=asked.visit,
        catalog=asked.catalog,
        distortion=asked.distortion,
        seed=asked.seed,
    )
    for problem in survey.problems:
        say(problem)
    if not survey.groups:
        raise UsageError(f"{asked.proposal} has no exposures that can be dithered and judged")
    return list(survey.groups)


def surveyed(
    source: Source,
    size: Region | None,
    *,
    visit: str | None = None,
    catalog: Path | None,
    distortion: Path | None,
    seed: int,
) -> tuple[Proposal, Survey]:
    """Return a proposal and what it dithers, errors located in its file."""
    from aptdither.apt.proposal import parse_proposal
    from aptdither.planning.survey import survey

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
        raise error.located(Location(path=str(source.path))) from error
    return parsed, found


def too_many(groups: Sequence[DitherGroup], words: str) -> UsageError:
    """Return the error that says which groups there are to choose from."""
    return UsageError(f"{words}, and there are {_listed(groups)}; give --visit or --group")


def _listed(groups: Sequence[DitherGroup]) -> str:
    names = (
        f"{k} ({f'visit {group.visit}, ' if group.visit is not None else ''}{group.aperture.name} "
        f"{group.element.name}, {group.choice.name})"
        for k, group in enumerate(groups, start=1)
    )
    return ", ".join(names)


@contextmanager
def with_matplotlib() -> Iterator[None]:
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
