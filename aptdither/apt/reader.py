"""Reading an HST proposal into the values of :mod:`aptdither.apt.proposal`.

:func:`parse_proposal` reads the document once and drops its tree. Only ``Visits/Visit`` and
``Visits/HstQuadPattern`` count: similar names under ``Observations`` are from Phase I.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from lxml import etree

from aptdither.apt.document import Document, read_document
from aptdither.apt.limits import MAX_POINTS, MAX_VISITS
from aptdither.apt.patterns import AptPattern
from aptdither.apt.proposal import Exposure, ExposureGroup, Problem, Proposal, Visit
from aptdither.apt.spans import Element
from aptdither.errors import Location, ProposalError
from aptdither.types import PosTarg

#: Elements whose position in the file is needed.
PLACED = frozenset({"Visit", "HstQuadPattern", "ExposureGroup", "Exposure", "Pattern"})

#: Degrees of right ascension and declination: (ra, dec).
Position = tuple[float, float]

_SEXAGESIMAL = 6
_DEGREES = 2

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
    document, root, places = read_document(source, PLACED, path=path)
    _check_root(root, path)
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
        apt_version=root.get("AptVersion", "").strip(_SPACE),
        phase2_id=root.get("Phase2ID", ""),
        visits=tuple(_read_visits(document, root, places)),
        patterns=patterns,
        is_pure_parallel=pure_parallel.strip(_SPACE).lower() == "true",
    )


def read_visits(source: bytes) -> tuple[Document, Iterator[Visit]]:
    """Read the visits of an HST proposal one by one, without keeping those that were read.

    Raises
    ------
    DocumentError, ProposalError
        As :func:`parse_proposal`.
    """
    document, root, places = read_document(source, PLACED)
    _check_root(root, "")
    return document, _read_visits(document, root, places)


def _read_visits(
    document: Document, root: etree._Element, places: dict[etree._Element, Element]
) -> Iterator[Visit]:
    for holder in root.iterchildren("Visits"):
        if len(holder) > MAX_VISITS:
            raise ProposalError(f"it has {len(holder)} visits; at most {MAX_VISITS} are read")
        for child in holder.iterchildren("Visit", "HstQuadPattern"):
            visit = _read_visit(child, places)
            placed = _count_exposures(document.elements, visit.node)
            unread = placed - sum(1 for _ in visit.walk())
            yield replace(visit, unread_exposures=unread) if unread else visit


def _count_exposures(elements: Sequence[Element], node: int) -> int:
    """Count the exposures at any depth in a visit."""
    stop = elements[node].stop
    count = 0
    while (node := node + 1) < len(elements) and elements[node].start < stop:
        count += elements[node].name == "Exposure"
    return count


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


def read_pos_targ(element: etree._Element, line: int) -> tuple[PosTarg | None, tuple[Problem, ...]]:
    """Read a PosTarg element; an axis that it lacks is 0."""
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
            f"it is XML, but not an HST proposal: its root is {str(root.tag)[:80]!r}, not "
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
        label=element.get("Label", ""),
        status=element.get("Status", ""),
        comments=element.findtext("Comments") or "",
        kind=element.tag,
        tic_data_current=None if tic is None else (tic.text or "").strip(_SPACE),
        children=_read_children(element, places),
        orients_deg=tuple(_read_orients(element)),
    )


def _read_orients(visit: etree._Element) -> Iterator[tuple[float, float]]:
    """Yield the ranges of a visit's ORIENT, degrees; those that cannot be read are left out."""
    for orient in visit.iterchildren("Orient"):
        ends = [end.get("Degrees", "") for name in ("From", "To") for end in orient.findall(name)]
        with suppress(ValueError):
            low, high = map(float, ends)
            if math.isfinite(low) and math.isfinite(high):
                yield low, high


def _read_children(
    element: etree._Element, places: dict[etree._Element, Element]
) -> tuple[Exposure | ExposureGroup, ...]:
    # Groups nest at most MAX_DEPTH deep, so recursion is safe.
    children: list[Exposure | ExposureGroup] = []
    for child in element.iterchildren("Exposure", "ExposureGroup"):
        location = places[child]
        if child.tag == "Exposure":
            children.append(_read_exposure(child, location.node, location.line))
            continue
        children.append(
            ExposureGroup(
                node=location.node,
                line=location.line,
                type=child.get("Type"),
                pattern_number=child.get("Pattern"),
                children=_read_children(child, places),
            )
        )
    return tuple(children)


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
                pos_targ, problems = read_pos_targ(child, line)
            case "PosTarg":
                problems += (
                    Problem(field="PosTarg", found="two of them", allowed="one", line=line),
                )
            case "SpatialScan":
                is_scan = True
            case "InstrumentParameters":
                parameters = tuple((str(name), str(value)) for name, value in child.items())
            case "SubExposures":
                orbits = _read_orbits(child)
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
    known = tuple(orbit for orbit in orbits if orbit is not None)
    return known if len(known) == len(orbits) else ()


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
        coordinate_frame=texts.get(f"{prefix}CoordinateFrame", ""),
        problems=tuple(problems),
        line=line,
    )


def read_targets(source: bytes, path: str = "") -> dict[str, Position]:
    """Return the positions of the fixed targets, by their names.

    Parameters
    ----------
    source : bytes
        The .apt file.
    path : str
        Its name, for messages.

    Returns
    -------
    dict
        ``{name: (ra_deg, dec_deg)}``; targets whose position cannot be read are left out.

    Raises
    ------
    DocumentError
        If the file is not XML that can be read safely.
    """
    _, root, _ = read_document(source, frozenset({"FixedTarget"}), path=path)
    positions: dict[str, Position] = {}
    for target in root.iterfind("Targets/FixedTarget"):
        location = target.find("EquatorialPosition")
        position = None if location is None else read_position(location.get("Value", ""))
        if position is not None:
            positions.setdefault(target.get("Name", ""), position)
    return positions


def read_position(text: str) -> Position | None:
    """Read ``05 32 10.00 -66 12 00.0``, the same with colons, or two numbers of degrees.

    Returns
    -------
    (float, float) or None
        Right ascension and declination in degrees; None for what is no position.
    """
    words = re.split(r"[\s:,hmsd°'\"]+", text.strip().strip("s\"'"))
    values = [read_decimal(word) for word in words]
    if any(value is None for value in values):
        return None
    numbers = [abs(value) for value in values if value is not None]
    if len(numbers) == _SEXAGESIMAL:
        ra = 15 * (numbers[0] + numbers[1] / 60 + numbers[2] / 3600)
        dec = numbers[3] + numbers[4] / 60 + numbers[5] / 3600
        # The sign is the text's: minus zero degrees are south.
        position = ra, -dec if words[3].startswith("-") else dec
        is_sane = words[0][:1] != "-" and max(numbers[1:3] + numbers[4:]) < 60
    elif len(numbers) == _DEGREES:
        position = float(words[0]), float(words[1])
        is_sane = True
    else:
        return None
    is_sane = is_sane and 0 <= position[0] < 360 and -90 <= position[1] <= 90
    return position if is_sane else None
