"""What an HST proposal means: visits, groups, exposures, POS TARGs and patterns, as plain values.

Reading order: :func:`parse_proposal` reads the document once and drops its tree; the values below
hold what is needed and `node`, the link to the document's places. Only ``Visits/Visit`` and
``Visits/HstQuadPattern`` count: names under ``Observations`` that look alike are Phase I leftovers.

A value that cannot be read is not an error here but a :class:`Problem`, kept with its owner: a
proposal that nobody wants to dither must come back whatever it holds.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from aptdither.apt.document import Document, read_document
from aptdither.apt.limits import MAX_POINTS
from aptdither.apt.spans import Element
from aptdither.errors import Location, ProposalError
from aptdither.types import PosTarg, Setup

#: Elements whose places are wanted.
PLACED = frozenset({"Visit", "HstQuadPattern", "ExposureGroup", "Exposure", "Pattern"})

_SPACE = " \t\r\n"
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"\+?[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A value of the file that cannot be read.

    Attributes
    ----------
    field : str
        What it should be: ``PosTarg X``.
    found : str
        What the file says.
    allowed : str
        What could be read.
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
    node : int
        Link to :attr:`Document.elements`; unique in its document.
    line : int
        Line of its start tag.
    number : str
        Its number in the visit.
    same_pos_as : str or None
        Number of the exposure of this visit whose position it shares.
    pos_targ : PosTarg or None
        Its POS TARG; an axis that is missing is 0. None without a PosTarg, or with an unreadable
        one.
    comments : str
        The text of its Comments; blanks that stand between two pieces of markup may be missing.
    orbit_numbers : tuple of int
        Orbit of each SubExposure; empty when one of them is not known.
    is_spatial_scan : bool
        Whether it has a SpatialScan.
    has_pattern_position : bool
        Whether one of its SubExposures is a point of an APT pattern.
    problems : tuple of Problem
        What could not be read.
    """

    node: int
    line: int
    number: str
    label: str
    target_name: str
    config: str
    opmode: str
    aperture: str
    spectral_element: str
    iterations: int
    same_pos_as: str | None
    pos_targ: PosTarg | None
    comments: str
    orbit_numbers: tuple[int, ...]
    is_spatial_scan: bool
    has_pattern_position: bool
    problems: tuple[Problem, ...]

    @property
    def setup(self) -> Setup:
        """Its configuration, aperture and spectral element."""
        return Setup(config=self.config, aperture=self.aperture, element=self.spectral_element)

    @property
    def instrument(self) -> str:
        """The instrument: what stands before the ``/`` of Config."""
        return self.config.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposureGroup:
    """Exposures that APT holds together; groups nest.

    Attributes
    ----------
    type : str or None
        Its Type; ``Pattern`` is the one that is known.
    pattern_number : str or None
        Number of the APT pattern that it runs.
    """

    node: int
    line: int
    type: str | None
    pattern_number: str | None
    children: tuple[Exposure | ExposureGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit.

    Attributes
    ----------
    kind : str
        ``Visit``, or ``HstQuadPattern`` for a mosaic.
    tic_data_current : str or None
        Whether the orbit planner's result is up to date, as the file says it.
    """

    node: int
    line: int
    number: str
    status: str
    comments: str
    kind: str
    tic_data_current: str | None
    children: tuple[Exposure | ExposureGroup, ...]

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """All exposures, those in groups too, in document order."""
        return tuple(exposure for exposure, _ in self.walk())

    def walk(self) -> Iterator[tuple[Exposure, tuple[ExposureGroup, ...]]]:
        """Yield each exposure with the groups around it, outermost first, in document order."""
        waiting: list[tuple[Exposure | ExposureGroup, tuple[ExposureGroup, ...]]]
        waiting = [(child, ()) for child in reversed(self.children)]
        while waiting:
            item, groups = waiting.pop()
            if isinstance(item, Exposure):
                yield item, groups
            else:
                inner = (*groups, item)
                waiting.extend((child, inner) for child in reversed(item.children))

    def by_number(self) -> dict[str, list[Exposure]]:
        """Return the exposures of each number; more than one where a number was given twice."""
        found: dict[str, list[Exposure]] = {}
        for exposure in self.exposures:
            found.setdefault(exposure.number, []).append(exposure)
        return found

    def resolve_same_pos_as(
        self, exposure: Exposure, by_number: Mapping[str, list[Exposure]] | None = None
    ) -> Exposure:
        """Return the exposure whose own position `exposure` shares.

        SamePosAs may name an exposure that has a SamePosAs itself: the chain is followed to its
        end. An exposure without SamePosAs is its own. `by_number`, what :meth:`by_number` gives,
        spares making it for each of many exposures.

        Raises
        ------
        ProposalError
            If the chain names a number that the visit lacks or has twice, comes back to itself, or
            passes an exposure that has a POS TARG too.
        """
        at = exposure
        seen: dict[str, None] = {}
        if at.same_pos_as is not None and by_number is None:
            by_number = self.by_number()
        while at.same_pos_as is not None and by_number is not None:
            location = Location(visit=self.number, exposure=at.number, line=at.line)
            if at.number in seen:
                chain = " -> ".join([*itertools.islice(seen, 10), at.number])
                raise ProposalError(
                    f"SamePosAs runs in a circle ({chain}); open it", location=location
                )
            seen[at.number] = None
            named = by_number.get(at.same_pos_as, [])
            if len(named) != 1:
                how = "no exposure has" if not named else f"{len(named)} exposures have"
                raise ProposalError(
                    f"SamePosAs is {at.same_pos_as!r}, a number that {how} in this visit; name "
                    "one exposure of the visit",
                    location=location,
                )
            if at is not exposure and at.pos_targ is not None:
                raise ProposalError(
                    f"it has a POS TARG and SamePosAs {at.same_pos_as!r}; which one holds is not "
                    "known: keep one",
                    location=location,
                )
            at = named[0]
        return at


@dataclass(frozen=True, slots=True, kw_only=True)
class AptPattern:
    """A pattern that APT itself expands; None for what the file leaves empty.

    Attributes
    ----------
    number : str
        What an ExposureGroup names it by.
    point_spacing, line_spacing : float or None
        Distance along and between its lines, arcsec.
    orientation, angle_between_sides : float or None
        Degrees.
    sub : AptPattern or None
        The pattern that is run at each of its points.
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
    purpose: str
    coordinate_frame: str
    problems: tuple[Problem, ...]
    line: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """A proposal as read, and the document that it was read from."""

    document: Document
    path: str
    phase: str
    apt_version: str
    phase2_id: str
    visits: tuple[Visit, ...]
    patterns: tuple[AptPattern, ...]
    is_pure_parallel: bool


def parse_proposal(source: bytes, path: str = "") -> Proposal:
    """Read an HST proposal.

    Parameters
    ----------
    source : bytes
        The .apt file.
    path : str
        Its name, for messages.

    Raises
    ------
    DocumentError
        If it is not XML that can be read safely.
    ProposalError
        If it is not an HST proposal.
    """
    document, root, places = read_document(source, PLACED, path=path)
    _check_root(root, path)
    visits = tuple(
        _read_visit(child, places)
        for holder in root.iterchildren("Visits")
        for child in holder.iterchildren("Visit", "HstQuadPattern")
    )
    patterns = tuple(
        _read_pattern(child, places[child].line)
        for holder in root.iterchildren("Patterns")
        for child in holder.iterchildren("Pattern")
    )
    information = root.find("ProposalInformation")
    pure_parallel = "" if information is None else information.get("PureParallelProposal", "")
    return Proposal(
        document=document,
        path=path,
        phase=root.get("Phase", ""),
        apt_version=root.get("AptVersion", "").strip(_SPACE),
        phase2_id=root.get("Phase2ID", ""),
        visits=visits,
        patterns=patterns,
        is_pure_parallel=pure_parallel.strip(_SPACE).lower() == "true",
    )


def read_decimal(text: str) -> float | None:
    """Read a finite decimal number as a proposal may hold it; None if it is none.

    An optional sign, digits with an optional fraction, an optional exponent, blanks around:
    neither a hexadecimal number, a comma, a unit nor a word is read.
    """
    text = text.strip(_SPACE)
    if not _DECIMAL.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def read_pos_targ(
    element: etree._Element | None, line: int
) -> tuple[PosTarg | None, tuple[Problem, ...]]:
    """Read a PosTarg element; an axis that it lacks is 0."""
    if element is None:
        return None, ()
    values, problems = [], []
    for axis in ("X", "Y"):
        found = element.get(axis)
        value = 0.0 if found is None else read_decimal(found)
        if value is None:
            problems.append(
                Problem(
                    field=f"PosTarg {axis}",
                    found=found or "",
                    allowed="a decimal number of arcsec, such as -0.135",
                    line=line,
                )
            )
        else:
            values.append(value)
    if problems:
        return None, tuple(problems)
    return PosTarg(x_arcsec=values[0], y_arcsec=values[1]), ()


def _check_root(root: etree._Element, path: str) -> None:
    name = etree.QName(root)
    if name.localname.lower().startswith("jwst") or "jwst" in (name.namespace or "").lower():
        raise ProposalError(
            f"it is a JWST proposal (its root is {name.localname}); only HST proposals are read",
            location=Location(path=path or None),
        )
    if root.tag != "HSTProposal":
        raise ProposalError(
            f"it is XML, but no HST proposal: its root is {str(root.tag)[:80]!r}, not "
            "'HSTProposal'; give the .apt file that APT saves",
            location=Location(path=path or None),
        )


def _read_visit(element: etree._Element, places: dict[etree._Element, Element]) -> Visit:
    location = places[element]
    tic = element.find("TicData/TicDataCurrent")
    return Visit(
        node=location.node,
        line=location.line,
        number=element.get("Number", ""),
        status=element.get("Status", ""),
        comments=element.findtext("Comments") or "",
        kind=element.tag,
        tic_data_current=None if tic is None else (tic.text or "").strip(_SPACE),
        children=_read_children(element, places),
    )


def _read_children(
    element: etree._Element, places: dict[etree._Element, Element]
) -> tuple[Exposure | ExposureGroup, ...]:
    # A stack instead of recursion: how deep groups nest is up to the file.
    tags = ("Exposure", "ExposureGroup")
    stack: list[tuple[etree._Element, Iterator[etree._Element], list[Exposure | ExposureGroup]]] = [
        (element, element.iterchildren(*tags), [])
    ]
    while True:
        at, waiting, children = stack[-1]
        for child in waiting:
            if child.tag == "Exposure":
                location = places[child]
                children.append(_read_exposure(child, location.node, location.line))
            else:
                stack.append((child, child.iterchildren(*tags), []))
                break
        else:
            stack.pop()
            if not stack:
                return tuple(children)
            location = places[at]
            stack[-1][2].append(
                ExposureGroup(
                    node=location.node,
                    line=location.line,
                    type=at.get("Type"),
                    pattern_number=at.get("Pattern"),
                    children=tuple(children),
                )
            )


def _read_exposure(element: etree._Element, node: int, line: int) -> Exposure:
    comments: str | None = None
    pos_targ: PosTarg | None = None
    problems: tuple[Problem, ...] = ()
    orbits: tuple[int, ...] = ()
    is_scan = has_position = has_pos_targ = False
    for child in element.iterchildren("PosTarg", "Comments", "SpatialScan", "SubExposures"):
        match child.tag:
            case "Comments" if comments is None:
                comments = child.text or ""
            case "PosTarg" if not has_pos_targ:
                has_pos_targ = True
                pos_targ, problems = read_pos_targ(child, line)
            case "PosTarg":
                problems += (
                    Problem(field="PosTarg", found="two of them", allowed="one", line=line),
                )
            case "SpatialScan":
                is_scan = True
            case "SubExposures":
                orbits, has_position = _read_sub_exposures(child)
    get = element.get
    iterations_text = get("NumberOfIterations")
    iterations = 1 if iterations_text is None else _read_whole(iterations_text)
    if iterations is None or not 1 <= iterations <= MAX_POINTS:
        problems += (
            Problem(
                field="NumberOfIterations",
                found=iterations_text or "",
                allowed=f"a whole number from 1 to {MAX_POINTS}",
                line=line,
            ),
        )
        iterations = 1
    number = get("Number", "")
    if not number:
        problems += (
            Problem(field="Number", found=number, allowed="the exposure's number", line=line),
        )
    return Exposure(
        node=node,
        line=line,
        number=number,
        label=get("Label", ""),
        target_name=get("TargetName", ""),
        config=get("Config", ""),
        opmode=get("Opmode", ""),
        aperture=get("Aperture", ""),
        spectral_element=get("SpElement", ""),
        iterations=iterations,
        same_pos_as=get("SamePosAs") or None,
        pos_targ=pos_targ,
        comments=comments or "",
        orbit_numbers=orbits,
        is_spatial_scan=is_scan,
        has_pattern_position=has_position,
        problems=problems,
    )


def _read_sub_exposures(element: etree._Element) -> tuple[tuple[int, ...], bool]:
    orbits: list[int | None] = []
    has_position = False
    for child in element.iterchildren("SubExposure"):
        orbits.append(_read_whole(child.get("OrbitNumber", "")))
        has_position = has_position or any(
            name.endswith("PatternPosition")
            for name in child.keys()  # noqa: SIM118
        )
    known = tuple(orbit for orbit in orbits if orbit is not None)
    return (known if len(known) == len(orbits) else ()), has_position


def _read_whole(text: str) -> int | None:
    text = text.strip(_SPACE)
    return int(text) if _WHOLE.fullmatch(text) else None


def _read_pattern(element: etree._Element, line: int) -> AptPattern:
    texts: dict[str, str] = {}
    for child in element.iterchildren():
        texts.setdefault(str(child.tag), (child.text or "").strip(_SPACE))
    sub = None
    if texts.get("Sub-Pattern", "").lower() == "true":
        sub = _pattern_from(texts, "Subpattern", line, None)
    return _pattern_from(texts, "", line, sub)


def _pattern_from(
    texts: dict[str, str], prefix: str, line: int, sub: AptPattern | None
) -> AptPattern:
    problems: list[Problem] = []

    def number(name: str, allowed: str) -> float | None:
        found = texts.get(prefix + name, "")
        value = read_decimal(found)
        if found and value is None:
            problems.append(
                Problem(field=f"Pattern {prefix}{name}", found=found, allowed=allowed, line=line)
            )
        return value

    points = number("NumberOfPoints", "a whole number")
    if points is not None and not (points.is_integer() and 1 <= points <= MAX_POINTS):
        problems.append(
            Problem(
                field=f"Pattern {prefix}NumberOfPoints",
                found=texts[f"{prefix}NumberOfPoints"],
                allowed=f"a whole number from 1 to {MAX_POINTS}",
                line=line,
            )
        )
        points = None
    return AptPattern(
        number=texts.get("Number", ""),
        pattern_type=texts.get(f"{prefix}PatternType", ""),
        number_of_points=None if points is None else int(points),
        point_spacing=number("PointSpacing", "a decimal number of arcsec"),
        line_spacing=number("LineSpacing", "a decimal number of arcsec"),
        orientation=number("Orientation", "a decimal number of degrees"),
        angle_between_sides=number("AngleBetweenSides", "a decimal number of degrees"),
        center_pattern=texts.get(f"{prefix}CenterPattern", "").lower() == "true",
        sub=sub,
        purpose=texts.get(f"{prefix}Purpose", ""),
        coordinate_frame=texts.get(f"{prefix}CoordinateFrame", ""),
        problems=tuple(problems),
        line=line,
    )
