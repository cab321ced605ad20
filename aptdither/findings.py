"""Findings: what is worth telling about a proposal, and the registry of their codes.

Every code that any command can print stands in :data:`RULES`, with its severity, its words and
where it comes from: the messages, ``aptdither check --explain`` and the table in the README are
all made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from aptdither.errors import MAX_MESSAGE, NOWHERE, Location, UsageError, shortened


class Severity(StrEnum):
    """How much a finding matters, worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found, and where.

    Attributes
    ----------
    code : str
        Stable code, ``ADT`` and three digits.
    severity : Severity
        How much it matters.
    message : str
        One line with the numbers.
    visit, exposure : str or None
        Where; an exposure's number is the one in the file that was read.
    line : int or None
        Line in the file that was read, 1-based.
    """

    code: str
    severity: Severity
    message: str
    visit: str | None = None
    exposure: str | None = None
    line: int | None = None

    @classmethod
    def of(cls, code: str, message: str, location: Location = NOWHERE) -> Finding:
        """Return a finding of the registered severity of `code`, at `location`."""
        return cls(
            code=code,
            severity=RULES[code].severity,
            message=shortened(message, MAX_MESSAGE),
            visit=location.visit,
            exposure=location.exposure,
            line=location.line,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a code means.

    Attributes
    ----------
    code : str
        ``ADT`` and three digits; the first digit is the family: 1 what is written, 2 phases,
        3 steps on the detector and the sky, 4 how APT combines positions.
    severity : Severity
        Error: the dither is wasted or cannot be; warning: it can be better; note: worth knowing.
    title : str
        A few words.
    explanation : str
        What it means, when it is said, what to do.
    source : str
        Who says so.
    """

    code: str
    severity: Severity
    title: str
    explanation: str
    source: str


def found(code: str, message: str, location: Location = NOWHERE) -> Finding:
    """Return a finding of the registered severity of `code`, at `place`."""
    return Finding(
        code=code,
        severity=RULES[code].severity,
        message=shortened(message, MAX_MESSAGE),
        visit=location.visit,
        exposure=location.exposure,
        line=location.line,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which codes are wanted, by their prefixes.

    The longest prefix that fits decides, so ``select=("ADT201",), ignore=("ADT2",)`` keeps ADT201;
    at equal length `ignore` wins.

    Attributes
    ----------
    select : tuple of str
        Prefixes of codes to keep; empty for all.
    ignore : tuple of str
        Prefixes of codes to drop.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    @classmethod
    def of(cls, select: Iterable[str], ignore: Iterable[str]) -> Selection:
        """Read prefixes as they are typed: in any case, several joined by commas.

        Raises
        ------
        UsageError
            If a prefix fits no code.
        """
        return cls(select=_prefixes(select), ignore=_prefixes(ignore))

    def __contains__(self, code: str) -> bool:
        """Tell whether a code is wanted."""
        kept = max((len(p) for p in self.select or ("",) if code.startswith(p)), default=-1)
        dropped = max((len(p) for p in self.ignore if code.startswith(p)), default=-1)
        return kept > dropped


def _prefixes(texts: Iterable[str]) -> tuple[str, ...]:
    prefixes = [word.strip().upper() for text in texts for word in text.split(",") if word.strip()]
    for prefix in prefixes:
        if not any(code.startswith(prefix) for code in RULES):
            raise UsageError(f"no code begins with {prefix!r}; there are {', '.join(RULES)}")
    return tuple(dict.fromkeys(prefixes))


def rule_of(code: str) -> Rule:
    """Return the rule of a code, typed in any case.

    Raises
    ------
    UsageError
        If there is none.
    """
    rule = RULES.get(code.strip().upper())
    if rule is None:
        raise UsageError(f"there is no code {code!r}; there are {', '.join(RULES)}")
    return rule


def rules_as_markdown() -> str:
    """Return the table of all codes in Markdown."""
    lines = ["| code | severity | what it says | source |", "| --- | --- | --- | --- |"]
    lines += [f"| {r.code} | {r.severity} | {r.title} | {r.source} |" for r in RULES.values()]
    return "\n".join(lines) + "\n"


_ISR = "ISR WFC3 2016-14"
_CONTRACT = "aptdither's tag grammar"
_PHASE2 = "Phase II Proposal Instructions"


def _rule(code: str, severity: Severity, title: str, explanation: str, source: str) -> Rule:
    return Rule(code=code, severity=severity, title=title, explanation=explanation, source=source)


def _registry(*rules: Rule) -> Mapping[str, Rule]:
    return MappingProxyType({rule.code: rule for rule in rules})


RULES = _registry(
    _rule(
        "ADT101",
        Severity.ERROR,
        "a tag is malformed or contradicts another",
        "A line that begins with @dither breaks the tag's grammar (an unknown key, a bad value), or"
        " two tags speak for one set of exposures and differ. `apply` refuses the whole file until "
        "it is mended.",
        _CONTRACT,
    ),
    _rule(
        "ADT102",
        Severity.WARNING,
        "@dither stands in a comment but is not the first word of its line",
        "Only a line whose first word is @dither is a tag. This one is read as prose and does "
        "nothing: put the word first if a tag was meant.",
        _CONTRACT,
    ),
    _rule(
        "ADT103",
        Severity.ERROR,
        "a tag asks for what `apply` refuses",
        "The tag can be read, but the set cannot be dithered as it stands: it is in an APT pattern "
        "group, repeats by iterations, is a spatial scan or a coordinated parallel, starts from "
        "different POS TARGs, or has a number of exposures that does not fit n. The message names "
        "the way out. Visits that are completed are not held against a tag here.",
        _CONTRACT,
    ),
    _rule(
        "ADT104",
        Severity.ERROR,
        "a value that decides where an exposure points cannot be read",
        "A POS TARG, a number of iterations, a pattern parameter, an aperture or a receipt holds "
        "something that is no value of its kind. The exposure is left out of its set, so what is "
        "said about the set may be too kind or too harsh.",
        f"{_PHASE2} 6.3.3; the .apt format",
    ),
    _rule(
        "ADT105",
        Severity.ERROR,
        "a reference leads nowhere",
        "A SamePosAs names no exposure of its visit, or runs in a circle; or a group names an APT "
        "pattern that the file does not have. Where these exposures point is not known.",
        f"{_PHASE2} (SAME POS AS holds within a visit)",
    ),
    _rule(
        "ADT106",
        Severity.ERROR,
        "a visit or exposure number occurs twice",
        "Numbers are what SamePosAs, tags and people refer to; two things with one number cannot be"
        " told apart.",
        f"{_PHASE2}; the .apt format",
    ),
    _rule(
        "ADT107",
        Severity.WARNING,
        "a tag may not do what was meant",
        "Said by `apply`: a tag covers one exposure at one point, which is no dither, or setups "
        "with different numbers of exposures, which then cannot share one pattern.",
        _CONTRACT,
    ),
    _rule(
        "ADT108",
        Severity.NOTE,
        "a set could not be judged",
        "Where these exposures point does not follow from the file, or not without guessing: a "
        "pattern of a geometry that is not known here, or one laid out on the sky whose roll is not"
        " fixed; a coordinated or pure parallel, whose place is the prime's; a mosaic; an aperture "
        "or element without a model. Nothing more is said about their dither.",
        "aptdither does not guess",
    ),
    _rule(
        "ADT109",
        Severity.NOTE,
        "tagged, but not dithered yet",
        "The exposures carry a tag and have no receipts, so they stand as they were before "
        "`aptdither apply`. Their coverage is not held against them until then.",
        _CONTRACT,
    ),
    _rule(
        "ADT201",
        Severity.ERROR,
        "exposures repeat a phase",
        "Two exposures at different places land at the same phase of the pixel (closer than 0.1 "
        "pixel modulo 1 where the target lands), so the second adds signal but no sampling. The "
        "usual causes are steps of whole pixels and crossed patterns: LINE x BOX-MIN has 8 "
        "exposures and only 4 phases, since LINE's (0.5, 0.5) is one of the box's own. Beyond 9 "
        "exposures repeats are expected, one cluster over another, and it is said only when there "
        "are fewer phases than one cluster has points.",
        f"{_ISR} sections 4 and 7; DrizzlePac Handbook B.3",
    ),
    _rule(
        "ADT202",
        Severity.WARNING,
        "coverage at the worst place is below what the same exposures could have",
        "The de-aliasing efficiency E at the worst place of the region is more than 0.02 below "
        "that of the best catalogue pattern with as many points, or the phases there are less than "
        "half as far apart (packing distance) as that pattern's. The message names the pattern; "
        "`aptdither patterns NAME` gives its POS TARGs. Give --size when the target is small: a "
        "wide pattern that fails over the full field may serve it well.",
        f"{_ISR} sections 4 to 6; Lauer 1999 (PASP 111, 227)",
    ),
    _rule(
        "ADT203",
        Severity.NOTE,
        "the band has more aliases than there are exposures",
        "At this wavelength more aliases fold onto a spatial frequency than there are measurements, "
        "so hardly any of the band that the telescope passes can be recovered exactly, wherever "
        "the exposures are placed. It is said when even the best catalogue pattern of as many "
        "points loses nine tenths of the band or more. What can still be had is the efficiency E; "
        "more exposures, or a redder filter, are the way out.",
        "Lauer 1999 (PASP 111, 227)",
    ),
    _rule(
        "ADT204",
        Severity.WARNING,
        "the pattern loses coherence over the region",
        "The phases are well spread where the target lands, but distortion makes the same POS "
        "TARGs other steps elsewhere, and at the worst place of the region two phases come closer "
        "than half their distance at the centre, and than half of what is possible. The 3-point "
        "line does so: it steps over more than 9 pixels, and its third point almost falls on "
        "another at some corners. Patterns that span less than 5 pixels stay coherent.",
        f"{_ISR} sections 3.3 (Figure 5), 4 (Figure 6) and 5",
    ),
    _rule(
        "ADT205",
        Severity.WARNING,
        "exposures repeat undithered",
        "Several exposures of one setup are taken at one and the same pointing (iterations, or "
        "equal POS TARGs), so artifacts and phases repeat. NumberOfIterations repeats at one place:"
        " to be dithered they must be exposures of their own. Right for time series; otherwise a "
        "step costs 20 to 30 seconds. A pattern that is run twice counts, too: step the second run "
        "by about 2 arcsec.",
        f"{_ISR} sections 1 and 7; {_PHASE2} (Number_of_Iterations)",
    ),
    _rule(
        "ADT301",
        Severity.WARNING,
        "steps under 2 pixels: a bad pixel stays on the same place",
        "Two exposures at different phases are less than 2 pixels apart, so an artifact of a few "
        "pixels hits the same part of the source in both. Tight patterns keep 2 pixels at least.",
        f"{_ISR} section 5",
    ),
    _rule(
        "ADT302",
        Severity.NOTE,
        "the dither never leaves a blob",
        "All exposures lie within 10 pixels of each other; blobs of the IR channel are 10 to 15 "
        "pixels across, so what one covers it covers in every exposure. Over the full field this is"
        " the price of coherent phases and it is said of untagged sets only; for small targets a "
        "wide pattern, and beyond 9 exposures clusters stepped 2 arcsec apart, cost nothing.",
        f"{_ISR} sections 6 and 7; Pirzkal, Viana & Rajan 2010",
    ),
    _rule(
        "ADT303",
        Severity.WARNING,
        "pointings reach beyond one pair of guide stars",
        "The pointings on one target do not lie within a circle of 130 arcsec diameter, so one pair"
        " of guide stars does not serve them all.",
        "WFC3 Instrument Handbook 7.10",
    ),
    _rule(
        "ADT304",
        Severity.WARNING,
        "a step needs a new guide-star acquisition",
        "One exposure follows another by a move of more than about 90 arcsec: the guide stars are "
        "probably lost, a new acquisition takes minutes, and its 5-20 mas error (0.04 to 0.15 "
        "pixel) comes between the phases.",
        "COS Instrument Handbook 9.2 (overheads); DrizzlePac Handbook B.3",
    ),
    _rule(
        "ADT305",
        Severity.NOTE,
        "the dither is split over orbits",
        "The exposures of one pattern run in several orbits, and each orbit begins with a guide-star"
        " re-acquisition whose error, 5-20 mas, shifts its phases against the other orbits'. Where "
        "it can be, let each orbit hold a whole pattern.",
        f"{_ISR} section 3.2; DrizzlePac Handbook B.3",
    ),
    _rule(
        "ADT401",
        Severity.WARNING,
        "SamePosAs follows an exposure that is dithered",
        "Said by `apply`: an exposure outside the set takes its place from one inside, so it moves "
        "with it to one of the points, and is not dithered itself.",
        f"{_PHASE2} (SAME POS AS)",
    ),
    _rule(
        "ADT402",
        Severity.ERROR,
        "SamePosAs defeats a dither",
        "An exposure of a dithered set has a SamePosAs that takes it to the place of another "
        "exposure of the same setup, whether or not it has a POS TARG of its own: a point of the "
        "pattern is lost. SamePosAs is for another filter at the same place.",
        f"{_PHASE2} (SAME POS AS)",
    ),
    _rule(
        "ADT403",
        Severity.WARNING,
        "an APT pattern and POS TARGs add",
        "Exposures in a Pattern group have POS TARGs, and APT adds the two. With different POS "
        "TARGs every one of them is run at every point of the pattern, and the phases are those of "
        "the product; with one small POS TARG the pattern is only shifted by it. Use one of them.",
        "ACS FAQ, POS TARGs and patterns",
    ),
    _rule(
        "ADT404",
        Severity.WARNING,
        "direct and grism exposures through IR do not share an origin",
        "Aperture IR puts the target at (562, 562) of the detector without a grism and at (497, "
        "562) with one (1024 frame), so equal POS TARGs are not equal places. Through G102-REF, "
        "G141-REF or GRISM1024 they are.",
        "HST SIAF 1.90; WFC3 Instrument Handbook 8",
    ),
    _rule(
        "ADT405",
        Severity.NOTE,
        "the orbit plan is stale",
        "TicDataCurrent of the visit is false: its orbit numbers and overheads are those of an "
        "earlier version. Run the Orbit Planner in APT.",
        "the .apt format (TicData)",
    ),
    _rule(
        "ADT406",
        Severity.ERROR,
        "a receipt no longer matches what it stands for",
        "`apply` left a receipt that says which point of which pattern the exposure is, and the "
        "file has changed since: the POS TARG is another, points are missing or doubled, or the "
        "tag asks for something else. Run `aptdither apply` again, or remove tag and receipts to "
        "keep the POS TARGs as they are.",
        _CONTRACT,
    ),
)
