"""What rules share: how they are listed, what they look up, and parts of their sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from aptdither.apt.proposal import Exposure
from aptdither.apt.tags import DitherRequest, Method
from aptdither.dither.catalog import Catalog
from aptdither.dither.clusters import split_counts
from aptdither.dither.coverage import Coverage
from aptdither.dither.phases import span
from aptdither.errors import AptDitherError
from aptdither.findings import Check, Message, Rule, Severity
from aptdither.planning.choice import PatternChooser
from aptdither.planning.evaluation import DitherGroup, Evaluator
from aptdither.types import TIGHT, Spacing

#: Rules by what they look at beside the :class:`ReviewContext`: what the exposures of a visit do, a
#: set that was evaluated, or all sets of a proposal.
VISIT_RULES: list[Rule] = []
GROUP_RULES: list[Rule] = []
PROGRAM_RULES: list[Rule] = []

#: Above this number of points no catalog pattern is compared: the pixel is fully sampled.
MAX_COMPARED_POINTS = 36


@dataclass(frozen=True, slots=True)
class BestPattern:
    """The best pattern of the catalog for as many points over the same region."""

    name: str
    coverage: Coverage
    span_pix: float


@dataclass(frozen=True, slots=True)
class ReviewContext:
    """What rules look up beyond what they look at; each question is answered once."""

    evaluator: Evaluator
    #: How many visits of the proposal have each number.
    visit_numbers: Counter[str] = field(default_factory=Counter)
    #: Returns why `apply` would not carry out the proposal's tags: takes as long as planning them.
    refusals: Callable[[], Sequence[AptDitherError]] = tuple
    _best: dict[object, BestPattern | None] = field(default_factory=dict)

    @property
    def catalog(self) -> Catalog:
        """The patterns."""
        return self.evaluator.catalog

    def best(
        self, group: DitherGroup, n: int | None = None, spacing: Spacing = TIGHT
    ) -> BestPattern | None:
        """Return the best pattern of `n` points (the group's own number); None if there is none."""
        key = (n or group.n, group.evaluation.view, spacing)
        if key not in self._best:
            self._best[key] = self._find(group, n or group.n, spacing)
        return self._best[key]

    def _find(self, group: DitherGroup, n: int, spacing: Spacing) -> BestPattern | None:
        if not 2 <= n <= MAX_COMPARED_POINTS:
            return None
        view = group.evaluation.view
        chooser = PatternChooser(views=(view,), spacing=spacing, catalog=self.catalog)
        try:
            choice = chooser.choose(split_counts(n), DitherRequest(method=Method.CATALOG))
        except AptDitherError:  # the catalog has nothing of that size
            return None
        found = self.evaluator.evaluation(choice.offsets, view)
        return BestPattern(choice.name, found.coverage, span(found.pixels))


def among(
    rules: list[Rule], code: str, severity: Severity, **texts: str
) -> Callable[[Check], Rule]:
    """List the decorated function as a rule; `texts` are its title, explanation and source."""
    rule = Rule(code=code, severity=severity, **texts)  # type: ignore[arg-type]  # no check yet
    return listed_as(rule, rules)


def listed_as(rule: Rule, rules: list[Rule]) -> Callable[[Check], Rule]:
    """List the decorated function as the check of a rule."""

    def listed(check: Check) -> Rule:
        rules.append(rule.checked_by(check))
        return rules[-1]

    return listed


of_visit = partial(among, VISIT_RULES)
of_proposal = partial(among, PROGRAM_RULES)


def of_set(
    code: str, severity: Severity, **texts: str
) -> Callable[[Callable[[DitherGroup, ReviewContext], str]], Rule]:
    """List a function that returns a sentence about a set, or "", as a rule.

    The finding stands at the set's first exposure.
    """

    def listed(say: Callable[[DitherGroup, ReviewContext], str]) -> Rule:
        def check(group: DitherGroup, context: ReviewContext) -> Iterator[Message]:
            message = say(group, context)
            if message:
                yield group.exposures.location, message

        return among(GROUP_RULES, code, severity, **texts)(check)

    return listed


def exposures_of(group: DitherGroup) -> str:
    """Name a set: ``6 exposures of IR F160W``."""
    return f"{group.n} exposures of {group.exposures.setup.text}"


def counted(count: int, noun: str) -> str:
    """Return a count and its noun.

    >>> counted(1, "visit"), counted(2, "visit")
    ('1 visit', '2 visits')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def exposures_listed(exposures: Iterable[Exposure]) -> str:
    """List exposure numbers, all of a few and the ends of many: ``exposures 1, 2, ... 9 (8)``."""
    numbers = [exposure.number for exposure in exposures]
    noun = "exposure" if len(numbers) == 1 else "exposures"
    if len(numbers) <= 6:
        return f"{noun} {', '.join(numbers)}"
    return f"{noun} {', '.join(numbers[:2])}, ... {numbers[-1]} ({len(numbers)})"


def joined(parts: Sequence[str], most: int = 5) -> str:
    """Join parts of a sentence, the first `most` of them.

    >>> joined(["1, 5", "2, 6", "3, 7"], most=2)
    '1, 5; 2, 6; and 1 more'
    """
    more = [f"and {len(parts) - most} more"] if len(parts) > most else []
    return "; ".join([*parts[:most], *more])
