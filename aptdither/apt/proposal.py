"""An HST proposal as plain values: visits, exposure groups and exposures.

:func:`aptdither.apt.reader.parse_proposal` makes them. Each holds what planning needs, and `node`,
its position in :attr:`aptdither.apt.document.Document.elements`.

A value that cannot be read is not an error but a :class:`Problem` of its owner: a proposal that is
not dithered must be returned unchanged whatever it holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from aptdither.apt.document import Document
from aptdither.errors import Location, ProposalError
from aptdither.types import PosTarg, Setup

#: Points of a box pattern, with or without a NumberOfPoints in the file.
BOX_POINTS = 4


@dataclass(frozen=True, slots=True)
class Problem:
    """A value of the file that cannot be read.

    Attributes
    ----------
    field : str
        What it should be: ``PosTarg X``.
    found, allowed : str
        The text of the file, and what could be read.
    line : int
        Line of the element that holds it.
    """

    field: str
    found: str
    allowed: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One exposure; attributes that the file lacks are empty strings.

    Attributes
    ----------
    node, line : int
        Index in :attr:`Document.elements`, unique in its document; line of its start tag.
    label : str
        Text of the observer, in which no tag is read.
    same_pos_as : str or None
        Number of the exposure of this visit whose position it shares.
    pos_targ : PosTarg or None
        Its POS TARG; an axis that is missing is 0. None without a PosTarg, or with an unreadable
        one.
    comments : str
        The text of its Comments; white space between two pieces of markup may be missing.
    orbit_numbers : tuple of int
        Orbit of each SubExposure; empty when one of them is not known.
    parameters : tuple of (str, str)
        Its InstrumentParameters, as written.
    """

    node: int
    line: int
    number: str
    target_name: str
    config: str
    aperture: str
    spectral_element: str
    label: str
    iterations: int
    same_pos_as: str | None
    pos_targ: PosTarg | None
    comments: str
    orbit_numbers: tuple[int, ...]
    is_spatial_scan: bool
    parameters: tuple[tuple[str, str], ...]
    problems: tuple[Problem, ...]

    def __hash__(self) -> int:
        """Return a hash that does not read all fields."""
        return self.node

    @property
    def setup(self) -> Setup:
        """Its configuration, aperture and spectral element."""
        return Setup(config=self.config, aperture=self.aperture, element=self.spectral_element)

    @property
    def instrument(self) -> str:
        """The instrument: Config up to its ``/``."""
        return self.config.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureGroup:
    """Exposures that APT holds together; groups nest.

    ``Pattern`` is the one `type` that is known; `pattern_number` is that of the APT pattern it runs,
    and `pattern` that pattern, where the file has it.
    """

    node: int
    line: int
    type: str | None
    pattern_number: str | None
    pattern: AptPattern | None
    children: tuple[Exposure | ExposureGroup, ...]


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One visit.

    Attributes
    ----------
    kind : str
        ``Visit``, or ``HstQuadPattern`` for a mosaic.
    tic_data_current : str or None
        Whether the orbit planner's result is up to date, as the file has it.
    tic_node : int or None
        Link to the element that says so.
    unread_exposures : int
        Number of exposures inside elements that are not known; `children` does not hold them.
    orients_deg : tuple of (float, float)
        The ranges of ORIENT that are allowed, from and to; empty for any.
    """

    node: int
    line: int
    number: str
    label: str
    status: str
    comments: str
    kind: str
    tic_data_current: str | None
    tic_node: int | None
    children: tuple[Exposure | ExposureGroup, ...]
    unread_exposures: int = 0
    orients_deg: tuple[tuple[float, float], ...] = ()

    @property
    def is_completed(self) -> bool:
        """Whether it was executed."""
        return self.status.lower() == "completed"

    @cached_property
    def exposures(self) -> tuple[Exposure, ...]:
        """All exposures, those in groups too, in document order."""
        return tuple(exposure for exposure, _ in self.walk())

    def location(self, one: Exposure | Visit | None = None) -> Location:
        """Return the location of one of its exposures, or of the visit."""
        if isinstance(one, Exposure):
            return Location(visit=self.number, exposure=one.number, line=one.line)
        return Location(visit=self.number, line=self.line)

    def walk(self) -> Iterator[tuple[Exposure, tuple[ExposureGroup, ...]]]:
        """Yield each exposure with the groups around it, outermost first, in document order."""
        return walk(self.children)

    @cached_property
    def by_number(self) -> dict[str, list[Exposure]]:
        """The exposures of each number; more than one where a number was given twice."""
        by_number: dict[str, list[Exposure]] = {}
        for exposure in self.exposures:
            by_number.setdefault(exposure.number, []).append(exposure)
        return by_number

    def resolve_same_pos_as(self, exposure: Exposure) -> Exposure:
        """Return the exposure whose own position `exposure` shares; itself without SamePosAs.

        A chain of SamePosAs is followed to its end.

        Raises
        ------
        ProposalError
            If the chain names a number that the visit lacks or has twice, comes back to itself, or
            passes an exposure that has a POS TARG too.
        """
        at = exposure
        seen: dict[str, None] = {}
        while at.same_pos_as is not None:
            named = self.by_number.get(at.same_pos_as, [])
            message = ""
            if at.number in seen:
                chain = " -> ".join([*itertools.islice(seen, 10), at.number])
                message = f"SamePosAs forms a circle ({chain}); remove one of them"
            elif len(named) != 1:
                how = "no exposure has" if not named else f"{len(named)} exposures have"
                message = (
                    f"SamePosAs is {at.same_pos_as!r}, a number that {how} in this visit; name "
                    "one exposure of the visit"
                )
            elif at is not exposure and at.pos_targ is not None:
                message = (
                    f"it has a POS TARG and SamePosAs {at.same_pos_as!r}; which one holds is not "
                    "known: keep one"
                )
            if message:
                raise ProposalError(message, location=self.location(at))
            seen[at.number] = None
            at = named[0]
        return at


@dataclass(frozen=True, slots=True, kw_only=True)
class AptPattern:
    """A pattern that APT itself expands; None for what the file leaves empty.

    Its number is what an ExposureGroup names it by. Spacings are along and between its lines,
    arcsec; angles in degrees; `sub` is the pattern that is run at each of its points.
    """

    number: str
    pattern_type: str
    number_of_points: int | None
    point_spacing: float | None
    line_spacing: float | None
    orientation: float | None
    angle_between_sides: float | None
    center_pattern: bool
    sub: AptPattern | None
    coordinate_frame: str
    problems: tuple[Problem, ...]
    line: int

    @property
    def total_points(self) -> int | None:
        """Number of its points, times those of its sub-pattern; None where the file lacks one."""
        total = 1
        part: AptPattern | None = self
        while part is not None:
            points = part.number_of_points or (BOX_POINTS if part.is_box else None)
            if points is None or part.problems:
                return None
            total *= points
            part = part.sub
        return total

    @property
    def is_box(self) -> bool:
        """Whether its points are the corners of a parallelogram."""
        return "BOX" in self.pattern_type.upper()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """A proposal as read, and the document that it was read from."""

    document: Document
    path: str
    apt_version: str
    phase2_id: str
    title: str
    investigator: str
    visits: tuple[Visit, ...]
    is_pure_parallel: bool


def walk(
    children: tuple[Exposure | ExposureGroup, ...], groups: tuple[ExposureGroup, ...] = ()
) -> Iterator[tuple[Exposure, tuple[ExposureGroup, ...]]]:
    """Yield each exposure with the groups around it, outermost first, in document order."""
    for child in children:
        if isinstance(child, Exposure):
            yield child, groups
        else:
            yield from walk(child.children, (*groups, child))
