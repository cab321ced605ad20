"""Reading an HST proposal into the values of :mod:`aptdither.apt.proposal`.

:func:`parse_proposal` reads the document once and drops its tree. Only ``Visits/Visit`` and
``Visits/HstQuadPattern`` count: similar names under ``Observations`` are from Phase I.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lxml import etree

from aptdither.apt.document import Document, read_document
from aptdither.apt.limits import MAX_POINTS, MAX_VISITS
from aptdither.apt.proposal import (
    AptPattern,
    Exposure,
    ExposureGroup,
    Problem,
    Proposal,
    Visit,
    walk,
)
from aptdither.apt.spans import Element
from aptdither.errors import Location, ProposalError
from aptdither.types import PosTarg

#: Elements whose position in the file is needed.
PLACED = ("Visit", "HstQuadPattern", "ExposureGroup", "Exposure", "Pattern", "TicDataCurrent")

#: Degrees of right ascension and declination: (ra, dec).
Position = tuple[float, float]

_SPACE = " \t\r\n"
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"\+?[0-9]{1,9}")


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

    Examples
    --------
    >>> proposal = parse_proposal(
    ...     b"<HSTProposal><Visits><Visit Number='01'><Exposure Number='1' Aperture='IR'>"
    ...     b"<PosTarg X='0.5' /></Exposure></Visit></Visits></HSTProposal>"
    ... )
    >>> (exposure,) = proposal.visits[0].exposures
    >>> exposure.aperture, exposure.pos_targ
    ('IR', PosTarg(x_arcsec=0.5, y_arcsec=0.0))
    """
    document, root, visits = open_proposal(source, path)
    information = root.find("ProposalInformation")
    pure_parallel = "" if information is None else information.get("PureParallelProposal", "")
    person = root.find("ProposalInformation/PrincipalInvestigator")
    names = ("FirstName", "MiddleInitial", "LastName")
    investigator = "" if person is None else " ".join(person.get(name, "") for name in names)
    return Proposal(
        document=document,
        path=path,
        apt_version=root.get("AptVersion", "").strip(_SPACE),
        phase2_id=root.get("Phase2ID", ""),
        title=" ".join(root.findtext("ProposalInformation/Title", "").split()),
        investigator=" ".join(investigator.split()),
        visits=tuple(visits),
        is_pure_parallel=pure_parallel.strip(_SPACE).lower() == "true",
    )


def open_proposal(
    source: bytes, path: str = ""
) -> tuple[Document, etree._Element, Iterator[Visit]]:
    """Return the document of an HST proposal, its tree, and its visits, of which none is kept.

    Raises
    ------
    DocumentError, ProposalError
        As :func:`parse_proposal`.
    """
    document, root, nodes = read_document(source, PLACED, path=path)
    _check_root(root, path)
    patterns: dict[str, AptPattern] = {}
    for child in root.iterfind("Patterns/Pattern"):
        pattern = _read_pattern(child, document.elements[nodes[child]].line)
        patterns.setdefault(pattern.number, pattern)
    reader = _VisitReader(document.elements, nodes, patterns)
    holders = root.findall("Visits")
    for holder in holders:
        if len(holder) > MAX_VISITS:
            raise ProposalError(f"it has {len(holder)} visits; at most {MAX_VISITS} are read")
    visits = (
        reader.visit(child)
        for holder in holders
        for child in holder.iterchildren("Visit", "HstQuadPattern")
    )
    return document, root, visits


def read_decimal(text: str) -> float | None:
    """Read a finite decimal number as a proposal may hold it; None if it is none.

    An optional sign, digits with an optional fraction, an optional exponent, white space around:
    hexadecimal numbers, commas, units and words are not read.
    """
    text = text.strip(_SPACE)
    if not _DECIMAL.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _read_pos_targ(
    element: etree._Element, line: int
) -> tuple[PosTarg | None, tuple[Problem, ...]]:
    """Read a PosTarg element; an axis that it lacks is 0."""
    texts = element.get("X", "0"), element.get("Y", "0")
    x_arcsec, y_arcsec = map(read_decimal, texts)
    if x_arcsec is not None and y_arcsec is not None:
        return PosTarg(x_arcsec=x_arcsec, y_arcsec=y_arcsec), ()
    allowed = "a decimal number of arcsec, such as -0.135"
    return None, tuple(
        Problem(f"PosTarg {axis}", text, allowed, line)
        for axis, text, value in zip("XY", texts, (x_arcsec, y_arcsec), strict=True)
        if value is None
    )


def _check_root(root: etree._Element, path: str) -> None:
    name = etree.QName(root)
    message = (
        f"it is XML, but not an HST proposal: its root is {str(root.tag)[:80]!r}, not "
        "'HSTProposal'; give the .apt file that APT saves"
    )
    if name.localname.lower().startswith("jwst") or "jwst" in (name.namespace or "").lower():
        message = (
            f"it is a JWST proposal (its root is {name.localname}); only HST proposals are read"
        )
    if root.tag != "HSTProposal":
        raise ProposalError(message, location=Location(path=path or None))


@dataclass(frozen=True, slots=True)
class _VisitReader:
    """Reads visits; knows where elements are, and the patterns that groups name."""

    elements: Sequence[Element]
    nodes: dict[etree._Element, int]
    patterns: dict[str, AptPattern]

    def visit(self, element: etree._Element) -> Visit:
        node, elements = self.nodes[element], self.elements
        tic = element.find("TicData/TicDataCurrent")
        children = self.children(element)
        end = node + 1
        while end < len(elements) and elements[end].start < elements[node].stop:
            end += 1
        placed = sum(other.name == b"Exposure" for other in elements[node:end])
        return Visit(
            node=node,
            line=elements[node].line,
            number=element.get("Number", ""),
            label=element.get("Label", ""),
            status=element.get("Status", ""),
            comments=element.findtext("Comments") or "",
            kind=element.tag,
            tic_data_current=None if tic is None else (tic.text or "").strip(_SPACE),
            tic_node=None if tic is None else self.nodes[tic],
            children=children,
            unread_exposures=placed - sum(1 for _ in walk(children)),
            orients_deg=tuple(_read_orients(element)),
        )

    def children(self, element: etree._Element) -> tuple[Exposure | ExposureGroup, ...]:
        # Groups nest at most MAX_DEPTH deep, so recursion is safe.
        children: list[Exposure | ExposureGroup] = []
        for child in element.iterchildren("Exposure", "ExposureGroup"):
            node = self.nodes[child]
            line = self.elements[node].line
            if child.tag == "Exposure":
                children.append(_read_exposure(child, node, line))
                continue
            number = child.get("Pattern")
            children.append(
                ExposureGroup(
                    node=node,
                    line=line,
                    type=child.get("Type"),
                    pattern_number=number,
                    pattern=self.patterns.get(number) if number else None,
                    children=self.children(child),
                )
            )
        return tuple(children)


def _read_orients(visit: etree._Element) -> Iterator[tuple[float, float]]:
    """Yield the ranges of a visit's ORIENT, degrees; those that cannot be read are left out."""
    for orient in visit.iterchildren("Orient"):
        ends = [end.get("Degrees", "") for name in ("From", "To") for end in orient.findall(name)]
        match [read_decimal(end) for end in ends]:
            case [float(low), float(high)]:
                yield low, high


def _read_exposure(element: etree._Element, node: int, line: int) -> Exposure:
    comments: str | None = None
    pos_targ: PosTarg | None = None
    problems: tuple[Problem, ...] = ()
    orbits: tuple[int, ...] = ()
    is_scan = has_pos_targ = False
    parameters: tuple[tuple[str, str], ...] = ()
    for child in element.iterchildren(
        "PosTarg", "Comments", "SpatialScan", "SubExposures", "InstrumentParameters"
    ):
        match child.tag:
            case "Comments" if comments is None:
                comments = child.text or ""
            case "PosTarg" if not has_pos_targ:
                has_pos_targ = True
                pos_targ, problems = _read_pos_targ(child, line)
            case "PosTarg":
                problems += (Problem("PosTarg", "two of them", "one", line),)
            case "SpatialScan":
                is_scan = True
            case "InstrumentParameters":
                parameters = tuple(child.items())
            case "SubExposures":
                orbits = _read_orbits(child)
    get = element.get
    iterations = _read_whole(get("NumberOfIterations", "1"))
    if not 1 <= iterations <= MAX_POINTS:
        allowed = f"a whole number from 1 to {MAX_POINTS}"
        problems += (Problem("NumberOfIterations", get("NumberOfIterations", ""), allowed, line),)
        iterations = 1
    number = get("Number", "")
    if not number:
        problems += (Problem("Number", number, "the exposure's number", line),)
    return Exposure(
        node=node,
        line=line,
        number=number,
        target_name=get("TargetName", ""),
        config=get("Config", ""),
        aperture=get("Aperture", ""),
        spectral_element=get("SpElement", ""),
        label=get("Label", ""),
        iterations=iterations,
        same_pos_as=get("SamePosAs") or None,
        pos_targ=pos_targ,
        comments=comments or "",
        orbit_numbers=orbits,
        is_spatial_scan=is_scan,
        parameters=parameters,
        problems=problems,
    )


def _read_orbits(sub_exposures: etree._Element) -> tuple[int, ...]:
    orbits = [
        _read_whole(child.get("OrbitNumber", ""))
        for child in sub_exposures.iterchildren("SubExposure")
    ]
    return () if -1 in orbits else tuple(orbits)


def _read_whole(text: str) -> int:
    """Read a whole number without a minus sign; -1 if it is none."""
    text = text.strip(_SPACE)
    return int(text) if _WHOLE.fullmatch(text) else -1


def _read_pattern(element: etree._Element, line: int) -> AptPattern:
    texts: dict[str, str] = {}
    for child in element.iterchildren():
        texts.setdefault(str(child.tag), (child.text or "").strip(_SPACE))
    has_sub = texts.get("Sub-Pattern", "").lower() == "true"
    sub = _pattern_from(texts, "Subpattern", line) if has_sub else None
    return replace(_pattern_from(texts, "", line), sub=sub)


def _pattern_from(texts: dict[str, str], prefix: str, line: int) -> AptPattern:
    problems: list[Problem] = []

    def number(name: str, allowed: str) -> float | None:
        found = texts.get(prefix + name, "")
        value = read_decimal(found)
        if name == "NumberOfPoints" and value not in range(1, MAX_POINTS + 1):
            value = None
        if found and value is None:
            problems.append(Problem(f"Pattern {prefix}{name}", found, allowed, line))
        return value

    points = number("NumberOfPoints", f"a whole number from 1 to {MAX_POINTS}")
    return AptPattern(
        number=texts.get("Number", ""),
        pattern_type=texts.get(f"{prefix}PatternType", ""),
        number_of_points=None if points is None else int(points),
        point_spacing=number("PointSpacing", "a decimal number of arcsec"),
        line_spacing=number("LineSpacing", "a decimal number of arcsec"),
        orientation=number("Orientation", "a decimal number of degrees"),
        angle_between_sides=number("AngleBetweenSides", "a decimal number of degrees"),
        center_pattern=texts.get(f"{prefix}CenterPattern", "").lower() == "true",
        sub=None,
        coordinate_frame=texts.get(f"{prefix}CoordinateFrame", ""),
        problems=tuple(problems),
        line=line,
    )


def read_targets(source: bytes, path: str = "") -> dict[str, Position]:
    """Return the positions of the fixed targets of a file by their names, where they can be read.

    Raises
    ------
    DocumentError
        If the file is not XML that can be read safely.
    """
    _, root, _ = read_document(source, ("FixedTarget",), path=path)
    positions: dict[str, Position] = {}
    for target in root.iterfind("Targets/FixedTarget"):
        location = target.find("EquatorialPosition")
        position = None if location is None else read_position(location.get("Value", ""))
        if position is not None:
            positions.setdefault(target.get("Name", ""), position)
    return positions


def read_position(text: str) -> Position | None:
    """Read ``05 32 10.00 -66 12 00.0``, the same with colons, or two numbers of degrees.

    Returns right ascension and declination in degrees, or None for what is no position.
    """
    words = re.split(r"[\s:,hmsd°'\"]+", text.strip().strip("s\"'"))
    values = [value for value in map(read_decimal, words) if value is not None]
    if len(words) != len(values):
        return None
    match [abs(value) for value in values]:
        case [hours, minutes, seconds, degrees, arcmin, arcsec]:
            if words[0].startswith("-") or max(minutes, seconds, arcmin, arcsec) >= 60:
                return None
            ra = 15 * (hours + minutes / 60 + seconds / 3600)
            dec = degrees + arcmin / 60 + arcsec / 3600
            # The sign is the text's: minus zero degrees are south.
            dec = -dec if words[3].startswith("-") else dec
        case [_, _]:
            ra, dec = values
        case _:
            return None
    return (ra, dec) if 0 <= ra < 360 and -90 <= dec <= 90 else None
