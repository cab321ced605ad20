"""What a command is about: an aperture and element, a pattern, POS TARGs, or a proposal's groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aptdither.cli.options import (
    as_usage_error,
    open_catalog,
    parse_pairs,
    parse_size_option,
    print_status,
    progress_bar,
)
from aptdither.errors import AptDitherError, Location, UsageError
from aptdither.types import Region, Setup

if TYPE_CHECKING:
    from aptdither.apt.proposal import Proposal
    from aptdither.io.files import Source
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.filters import SpectralElement
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.planning.survey import Survey

ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        help="Instrument and detector, e.g. WFC3/IR; needed only where the aperture does not say.",
    ),
]
ApertureOption = Annotated[
    str | None, typer.Option("--aperture", help="APT aperture, e.g. IR, IR-FIX, IRSUB256.")
]
ElementOption = Annotated[
    str | None, typer.Option("--element", help="Spectral element, e.g. F160W, G141.")
]
PatternsOption = Annotated[
    list[str] | None,
    typer.Option("--pattern", metavar="NAME", help="A catalog pattern; map takes several."),
]
PostargsOption = Annotated[
    list[str] | None,
    typer.Option("--postargs", metavar='"X,Y ..."', help="POS TARGs, arcsec; map takes several."),
]
ProposalOption = Annotated[
    Path | None, typer.Option("--proposal", metavar="IN.apt", help="The groups of a proposal.")
]
VisitOption = Annotated[
    str | None, typer.Option("--visit", help="One visit of the proposal; all by default.")
]
GroupOption = Annotated[
    int | None, typer.Option("--group", min=1, help="One of the groups, counted from 1.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupInputs:
    """Which aperture and spectral element a command is about, as given on the command line.

    Attributes
    ----------
    config, aperture, element : str or None
        The detector's defaults stand in for what is left out.
    distortion : Path or None
        A distortion file in place of the SIAF's model.
    """

    config: str | None = None
    aperture: str | None = None
    element: str | None = None
    distortion: Path | None = None

    def setup(self) -> Setup:
        """Return the setup, with the detector's defaults.

        Raises
        ------
        UsageError
            If the configuration is not supported, or the aperture is not known.
        """
        from aptdither.optics.aperture import get_aperture
        from aptdither.optics.detector import get_detector, supported_configs

        with as_usage_error():
            if self.aperture is None:
                detector = get_detector(self.config or supported_configs()[0])
                aperture, config = detector.default_aperture, detector.config
            else:
                named = get_aperture(self.aperture, config=self.config)
                aperture, config, detector = named.name, named.config, named.detector
            return Setup(
                config=config, aperture=aperture, element=self.element or detector.default_element
            )

    def optics(self) -> tuple[Aperture, SpectralElement]:
        """Return the aperture and the spectral element.

        Raises
        ------
        UsageError
            If one of them is not known.
        """
        from aptdither.optics.aperture import get_aperture
        from aptdither.optics.filters import get_element

        setup = self.setup()
        with as_usage_error():
            aperture = get_aperture(
                setup.aperture,
                setup.element,
                config=setup.config,
                distortion_file=self.distortion,
            )
            return aperture, get_element(setup.element, setup.config)


def fit_setup(inputs: SetupInputs) -> SetupInputs:
    """Return the inputs with the detector's defaults for fits, which are those of the ISR's data."""
    from aptdither.optics.detector import get_detector

    detector = get_detector(inputs.setup().config)
    return SetupInputs(
        config=detector.config,
        aperture=inputs.aperture or detector.fit_aperture,
        element=inputs.element or detector.fit_element,
        distortion=inputs.distortion,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInputs:
    """Which groups a command is about, as given on the command line."""

    setup: SetupInputs
    patterns: Sequence[str] = ()
    postargs: Sequence[str] = ()
    proposal: Path | None = None
    visit: str | None = None
    group: int | None = None
    size: str | None = None
    catalog: Path | None = None
    seed: int = 0

    def groups(self, *, with_plan: bool) -> list[DitherGroup]:
        """Return the groups, evaluated.

        Parameters
        ----------
        with_plan : bool
            Whether the tags of a proposal are carried out; without it its exposures are evaluated
            as they stand.

        Raises
        ------
        UsageError
            If the options contradict each other, or name what does not exist.
        """
        is_direct = bool(self.patterns or self.postargs)
        if is_direct == (self.proposal is not None):
            raise UsageError("give one of --postargs, --pattern and --proposal")
        if self.visit is not None and self.proposal is None:
            raise UsageError("--visit says which visit of a --proposal; give that too")
        groups = self._given() if self.proposal is None else self._of_proposal(with_plan)
        if self.group is None:
            return groups
        if self.group > len(groups):
            raise UsageError(f"there is no group {self.group}; there are {_listed(groups)}")
        return [groups[self.group - 1]]

    def _given(self) -> list[DitherGroup]:
        from aptdither.planning.choice import PatternChoice
        from aptdither.planning.evaluation import Evaluator

        setup, (aperture, _) = self.setup.setup(), self.setup.optics()
        with as_usage_error():
            catalog = open_catalog(self.catalog)
            choices = [
                PatternChoice.from_catalog(catalog.get(name), aperture) for name in self.patterns
            ]
        choices += [PatternChoice.given(parse_pairs(text, "--postargs")) for text in self.postargs]
        evaluator = Evaluator(seed=self.seed, distortion=self.setup.distortion)
        region = parse_size_option(self.size)
        with as_usage_error():
            return [evaluator.evaluate_pattern(choice, setup, region) for choice in choices]

    def _of_proposal(self, with_plan: bool) -> list[DitherGroup]:
        from aptdither.io import files

        assert self.proposal is not None
        _, found = survey_file(
            files.read_input(self.proposal),
            None if self.size is None else parse_size_option(self.size),
            with_plan=with_plan,
            visit=self.visit,
            catalog=self.catalog,
            distortion=self.setup.distortion,
            seed=self.seed,
        )
        for problem in found.problems:
            print_status(problem)
        return list(found.groups)


def survey_file(
    source: Source,
    region: Region | None,
    *,
    with_plan: bool = True,
    visit: str | None = None,
    catalog: Path | None,
    distortion: Path | None,
    seed: int,
) -> tuple[Proposal, Survey]:
    """Return a proposal and what it dithers, errors located in its file."""
    from aptdither.apt.reader import parse_proposal
    from aptdither.planning.survey import survey

    try:
        with progress_bar("planning") as progress:
            proposal = parse_proposal(source.data, path=str(source.path))
            found = survey(
                proposal,
                visit=visit,
                region=region,
                with_plan=with_plan,
                catalog=open_catalog(catalog),
                distortion=distortion,
                seed=seed,
                progress=progress,
            )
    except AptDitherError as error:
        raise error.located(Location(path=str(source.path))) from error
    return proposal, found


def one_position(text: str | None, aperture: Aperture, option: str = "--at") -> tuple[float, float]:
    """Read a position on the detector; the reference point when none is given.

    Raises
    ------
    UsageError
        If it is not one position, or lies off the detector.
    """
    if text is None:
        return aperture.x_ref_pix, aperture.y_ref_pix
    positions = parse_pairs(text, option)
    if len(positions) > 1:
        raise UsageError(f"{option} takes one position: x and y joined by a comma")
    if not aperture.detector.contains(*positions[0]):
        columns, rows = aperture.detector.image_pix
        raise UsageError(
            f"{option} {text} is off the detector; allowed: x from 1 to {columns}, y from 1 to "
            f"{rows}, pixels of the calibrated image"
        )
    return positions[0]


def too_many_groups(groups: Sequence[DitherGroup], reason: str) -> UsageError:
    """Return the error that says which groups there are to choose from."""
    return UsageError(f"{reason}, and there are {_listed(groups)}; give --visit or --group")


def _listed(groups: Sequence[DitherGroup]) -> str:
    names = (
        f"{k} ({f'visit {group.visit}, ' if group.visit is not None else ''}"
        f"{group.exposures.setup.text}, {group.choice.name})"
        for k, group in enumerate(groups, start=1)
    )
    return ", ".join(names) or "none"


@contextmanager
def with_plot_extra() -> Iterator[None]:
    """Say in one line what is missing where the packages of the extra are not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("matplotlib", "jinja2"):
            raise
        raise UsageError(
            f"pictures and pages need {error.name}, which is not installed: "
            "pip install 'aptdither[plot]'"
        ) from error
