"""What a command evaluates: an aperture and spectral element, a pattern, POS TARGs, or a proposal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from aptdither.cli import options as opt
from aptdither.cli.options import option
from aptdither.errors import AptDitherError, Location, UsageError
from aptdither.types import Progress, Region, Setup, Spacing

if TYPE_CHECKING:
    from aptdither.apt.proposal import Proposal
    from aptdither.dither.pattern import Pattern
    from aptdither.io.files import Source
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.filters import SpectralElement
    from aptdither.planning.choice import PatternChoice, PatternChooser
    from aptdither.planning.evaluation import DitherGroup, Evaluator
    from aptdither.planning.options import Options
    from aptdither.planning.plan import Survey


@dataclass(frozen=True, slots=True)
class SetupInputs:
    """Options that give an aperture and a spectral element; None is the detector's default."""

    config: str | None = option(None, "Config, where the aperture does not say it.", "WFC3/IR")
    aperture: str | None = option(None, "APT aperture: IR, IR-FIX, UVIS2-C512C-SUB.", "NAME")
    element: str | None = option(None, "Spectral element: F160W, G141.", "NAME")
    distortion: Path | None = opt.DISTORTION

    def setup(self, *, for_fit: bool = False) -> Setup:
        """Return the setup, completed with the detector's defaults (those for fits, or for design)."""
        from aptdither.optics.aperture import get_aperture
        from aptdither.optics.detector import get_detector, supported_configs

        with opt.as_usage_error():
            if self.aperture is None:
                detector = get_detector(self.config or supported_configs()[0])
                name = (for_fit and detector.fit_aperture) or detector.default_aperture
            else:
                aperture = get_aperture(self.aperture, config=self.config)
                detector, name = aperture.detector, aperture.name
        default_element = (for_fit and detector.fit_element) or detector.default_element
        return Setup(config=detector.config, aperture=name, element=self.element or default_element)

    def optics(self, *, for_fit: bool = False) -> tuple[Aperture, SpectralElement]:
        """Return the aperture and the spectral element."""
        from aptdither.optics.aperture import get_aperture
        from aptdither.optics.filters import get_element

        setup = self.setup(for_fit=for_fit)
        with opt.as_usage_error():
            aperture = get_aperture(
                setup.aperture, setup.element, config=setup.config, distortion_file=self.distortion
            )
            return aperture, get_element(setup.element, setup.config)


@dataclass(frozen=True, slots=True)
class RegionInputs(SetupInputs):
    """Options that say what a coverage is evaluated for."""

    size: str | None = opt.SIZE
    snr: str | None = opt.SNR


@dataclass(frozen=True, slots=True)
class ViewInputs(RegionInputs):
    """Options that say what sees a dither: one detector, or several that share it."""

    views: list[str] | None = option(
        None,
        "A detector that sees the dither; the first is the prime, repeat for others.",
        "CONFIG:APERTURE:ELEMENT[:SIZE]",
        names="--view",
    )
    seed: int = opt.SEED

    def seen(self) -> list[tuple[Setup, Region]]:
        """Return the setups and regions, the prime's first."""
        region = opt.read_word("size", self.size) or Region.full()
        if not self.views:
            return [(self.setup(), region)]
        if (self.config, self.aperture, self.element) != (None, None, None):
            raise UsageError("give either --view or --config, --aperture and --element, not both")
        seen = []
        for text in self.views:
            words = text.split(":")
            if len(words) not in (3, 4):
                raise UsageError(
                    f"--view is {text!r}; allowed: CONFIG:APERTURE:ELEMENT and perhaps :SIZE, such "
                    "as WFC3/UVIS:UVIS:F606W or WFC3/IR:IR:F160W:30arcsec"
                )
            config, aperture, element, *size = words
            one = SetupInputs(config or None, aperture, element, self.distortion)
            one.optics()
            seen.append((one.setup(), opt.read_word("size", size[0]) if size else region))
        return seen

    def options(self, catalog: Path | None = None) -> Options:
        """Return these options as those of a run."""
        from aptdither.apt.tags import DitherRequest
        from aptdither.dither.catalog import load_catalog
        from aptdither.planning.options import Options

        size, snr = opt.read_word("size", self.size), opt.read_word("snr", self.snr)
        return Options(
            defaults=DitherRequest(size=size, snr=snr),
            catalog=load_catalog(catalog),
            distortion=self.distortion,
            seed=self.seed,
        )

    def evaluator(self, catalog: Path | None = None) -> Evaluator:
        """Return what evaluates dithers as the options say."""
        from aptdither.planning.evaluation import Evaluator

        return Evaluator(self.options(catalog))

    def chooser(
        self, *, spacing: Spacing | None = None, progress: Progress | None
    ) -> PatternChooser:
        """Return what designs patterns for all that the options name; without a catalog."""
        from aptdither.planning.choice import PatternChooser

        evaluator, seen = self.evaluator(), self.seen()
        views = tuple(evaluator.view(setup, region, prime=seen[0][0]) for setup, region in seen)
        return PatternChooser(views=views, spacing=spacing, seed=self.seed, progress=progress)

    def evaluate(self, choice: PatternChoice, evaluator: Evaluator) -> list[DitherGroup]:
        """Return a pattern as each detector sees it."""
        seen = self.seen()
        return [
            evaluator.evaluate_pattern(choice, setup, region, prime=seen[0][0])
            for setup, region in seen
        ]


@dataclass(frozen=True, slots=True)
class GroupInputs(ViewInputs):
    """Options that give groups of exposures: patterns, POS TARGs, or a proposal."""

    patterns: list[str] | None = option(
        None, "A catalog pattern; may be repeated.", "NAME", names="--pattern"
    )
    postargs: list[str] | None = option(None, "POS TARGs, arcsec; may be repeated.", '"X,Y ..."')
    proposal: str | None = option(
        None, "The exposures of a proposal; - is standard input.", "IN.apt"
    )
    visit: str | None = option(None, "One visit of the proposal (default: all).", "NUMBER")
    group: int | None = option(None, "Only this group, counted from 1.", "N", min=1)
    catalog: Path | None = opt.CATALOG

    def groups(self, *, with_plan: bool, source: Source | None = None) -> list[DitherGroup]:
        """Return the groups, evaluated; of a proposal those of `source`, where it is read already.

        With `with_plan` they are what `apply` would write for its tags, and it must have exposures
        of a supported detector; otherwise its exposures are evaluated as they are.
        """
        from aptdither.io import files

        is_direct = bool(self.patterns or self.postargs)
        if is_direct == (self.proposal is not None):
            raise UsageError("give one of --postargs, --pattern and --proposal")
        if self.visit is not None and self.proposal is None:
            raise UsageError("--visit needs --proposal")
        if self.proposal is None:
            groups = self._given()
        else:
            source = source or files.read_input(self.proposal)
            _, survey = self.survey(source, with_plan=with_plan)
            for problem in survey.problems:
                opt.print_status(problem)
            groups = list(survey.groups)
        if with_plan and not groups:
            raise UsageError(f"{self.proposal} has no exposures of a supported detector")
        if self.group is None:
            return groups
        if self.group > len(groups):
            raise UsageError(f"there is no group {self.group}; there are {_listed(groups)}")
        return [groups[self.group - 1]]

    def _given(self) -> list[DitherGroup]:
        from aptdither.planning.choice import PatternChoice

        pairs = [opt.parse_pairs(text, "--postargs") for text in self.postargs or ()]
        with opt.as_usage_error():
            evaluator, groups = self.evaluator(self.catalog), []
            for pattern in map(evaluator.catalog.get, self.patterns or ()):
                inputs = self._for(pattern)
                aperture = evaluator.aperture(inputs.seen()[0][0])
                choice = PatternChoice.from_catalog(pattern, aperture)
                groups += inputs.evaluate(choice, evaluator)
            for pair in pairs:
                groups += self.evaluate(PatternChoice.given(pair), evaluator)
            return groups

    def _for(self, pattern: Pattern) -> GroupInputs:
        """Return these options with the detectors of a pattern, where none is given."""
        if self.config is not None or self.aperture is not None or self.views:
            return self
        if not pattern.parallel:
            return replace(self, config=pattern.config or None)
        configs = (pattern.config, pattern.parallel)
        setups = [SetupInputs(config, element=self.element).setup() for config in configs]
        views = [f"{one.config}:{one.aperture}:{one.element}" for one in setups]
        return replace(self, views=views, element=None)

    def survey(self, source: Source, *, with_plan: bool = True) -> tuple[Proposal, Survey]:
        """Return a proposal and its evaluated groups; errors name its file."""
        from aptdither.apt.reader import parse_proposal
        from aptdither.planning.plan import survey

        options = self.options(self.catalog)
        try:
            with opt.progress_bar("planning") as progress:
                proposal = parse_proposal(source.data, path=source.name)
                return proposal, survey(
                    proposal, options, visit=self.visit, with_plan=with_plan, progress=progress
                )
        except AptDitherError as error:
            raise error.located(Location(path=source.name)) from error


def one_position(
    text: str | None, aperture: Aperture, chip: int | None = None
) -> tuple[float, float]:
    """Read a position on a chip that is read; None is the reference point."""
    if text is None:
        if chip not in (None, aperture.frame.chip):
            raise UsageError(f"--chip {chip} needs --at: the reference point is on the other chip")
        return aperture.reference_pix
    positions = opt.parse_pairs(text, "--at")
    if len(positions) > 1:
        raise UsageError("--at takes one position: x and y joined by a comma")
    with opt.as_usage_error():
        is_on = aperture.contains(*positions[0], chip=chip)
    if not is_on:
        columns, rows = aperture.detector.image_pix
        raise UsageError(
            f"--at {text} is off the detector; allowed: x from 1 to {columns}, y from 1 to "
            f"{rows}, pixels of the calibrated image"
        )
    return positions[0]


def too_many_groups(groups: Sequence[DitherGroup], reason: str) -> UsageError:
    """Return an error that lists the groups to choose from."""
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
    """Raise a usage error if the packages of the extra `plot` are not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("matplotlib", "jinja2"):
            raise
        raise UsageError(
            f"plot and report need {error.name}, which is not installed: "
            "pip install 'aptdither[plot]'"
        ) from error
