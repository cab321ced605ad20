"""Hypothesis strategies: whole proposals in APT's style, and some that only nearly are.

:func:`proposals` draws a :class:`Made` proposal: its bytes, and what was put into it, so that a
test can compare what is read with what was written. Layout (quotes, line ends, indentation, compact
or one attribute a line), encoding, XML comments, CDATA, entities, nesting, tags, one-sided PosTargs
and SamePosAs all vary.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from hypothesis import strategies as st

from aptdither.apt.proposal import Proposal
from aptdither.apt.receipt import MadeBy, Receipt
from aptdither.types import PosTarg
from tests.wishes import Position, Wish

NAMES = st.text("abcXYZ0189._+-", min_size=1, max_size=8)
ARCSEC = st.floats(-60, 60).map(lambda value: round(value, 3) + 0.0)
POS_TARGS = st.builds(lambda x, y: PosTarg(x_arcsec=x, y_arcsec=y), ARCSEC, ARCSEC)

#: Characters that a comment may hold: blanks, markup, what only some encodings have.
COMMENT_WORDS = st.sampled_from(
    ["dither", "@dith", "a<b", "R&D", "]]>", '"', "it's", "é", "½", "µm", "@dithered?", "\t", " "]
)
WIDE_WORDS = st.sampled_from(["λ", "→", "𝛼", "深"])


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a proposal is written."""

    encoding: str
    bom: bool
    line_end: str
    quote: str
    compact: bool

    def encode(self, text: str) -> bytes:
        """Return the file's bytes."""
        codec = {"UTF-16": "utf-16-le", "US-ASCII": "ascii"}.get(self.encoding, self.encoding)
        mark = "\ufeff" if self.bom else ""
        return (mark + text).replace("\n", self.line_end).encode(codec)


@dataclass(frozen=True, kw_only=True)
class MadeExposure:
    """What was put into an exposure."""

    number: str
    comments: str
    pos_targ: PosTarg | None
    same_pos_as: str | None
    iterations: int


@dataclass(frozen=True, kw_only=True)
class MadeVisit:
    number: str
    exposures: list[MadeExposure] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A proposal's bytes, and what was put into it."""

    source: bytes = field(repr=False)
    layout: Layout
    visits: list[MadeVisit]


LAYOUTS = st.builds(
    Layout,
    encoding=st.sampled_from(["UTF-8", "ISO-8859-1", "UTF-16", "US-ASCII", "windows-1252"]),
    bom=st.booleans(),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quote=st.sampled_from(['"', "'"]),
    compact=st.booleans(),
).map(
    lambda layout: Layout(
        encoding=layout.encoding,
        bom=layout.encoding == "UTF-16" or (layout.bom and layout.encoding == "UTF-8"),
        line_end=layout.line_end,
        quote=layout.quote,
        compact=layout.compact,
    )
)


class _Writer:
    """Writes elements in a layout."""

    def __init__(self, draw: st.DrawFn, layout: Layout) -> None:
        self.draw = draw
        self.layout = layout

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == 1

    def element(
        self, name: str, attributes: dict[str, str], content: str | None, depth: int
    ) -> str:
        """Return an element; content None writes ``<X />``."""
        quote = self.layout.quote
        between = " " if self.layout.compact else "\n" + "   " * (depth + 1)
        written = "".join(
            f"{between}{key}={quote}{escape(value, {quote: '&#34;' if quote == chr(34) else '&#39;'})}"
            f"{quote}"
            for key, value in attributes.items()
        )
        if content is None:
            return f"<{name}{written} />"
        return f"<{name}{written}>{content}</{name}>"

    def holder(self, name: str, attributes: dict[str, str], children: list[str], depth: int) -> str:
        """Return an element that holds elements, in APT's layout or with nothing between."""
        if not children and self.chance(2):
            return self.element(name, attributes, None, depth)
        if self.layout.compact:
            return self.element(name, attributes, "".join(children), depth)
        before = "\n" + "   " * (depth + 1)
        content = "".join(before + before + child for child in children)
        return self.element(name, attributes, content + "\n" + "   " * depth, depth)

    def text(self, text: str) -> str:
        """Return text as a file may hold it: entities, CDATA, XML comments between."""
        how = self.draw(st.sampled_from(["plain", "plain", "cdata", "entities", "commented"]))
        if how == "cdata" and "]]>" not in text:
            return f"<![CDATA[{text}]]>"
        if how == "entities":
            return "".join(
                f"&#{ord(c)};" if c in "aé½" else f"&#x{ord(c):X};" if c in "µb" else escape(c)
                for c in text
            )
        written = escape(text)
        if how == "commented":
            return f"<!-- <Exposure> @dither n=3 -->{written}<?note @dithered?>"
        return written


@st.composite
def proposals(draw: st.DrawFn, *, tidy: bool = False) -> Made:
    """Draw a proposal with WFC3/IR exposures and things that only look alike.

    Parameters
    ----------
    tidy : bool
        Exposure numbers run 1 to K in each visit, as APT writes them.
    """
    layout = draw(LAYOUTS)
    writer = _Writer(draw, layout)
    visits = []
    written = []
    for index in range(draw(st.integers(0, 3))):
        made, text = _visit(writer, f"{index + 1:02d}", tidy=tidy)
        visits.append(made)
        written.append(text)
    look_alike = writer.element(
        "AladinPhase1SubExposure0", {"PosTargX": "1.0", "PosTargY": "2.0"}, None, 3
    )
    leftovers = writer.holder(
        "Observation",
        {"Number": "1"},
        [look_alike, "<CoordinatedParallels />", '<Exposure Number="77" />'],
        2,
    )
    body = writer.holder(
        "HSTProposal",
        {"Phase2ID": "19901", "Phase": "Phase II", "AptVersion": "Version 26.0.2 "},
        [
            writer.element("ProposalInformation", {"Category": "GO"}, "a > b", 1),
            writer.holder("Observations", {}, [leftovers], 1),
            "<Patterns />",
            writer.holder("Visits", {}, written, 1),
        ],
        0,
    )
    declared = layout.encoding != "UTF-8" or writer.chance(2)
    head = f'<?xml version="1.0" encoding="{layout.encoding}"?>\n' if declared else ""
    comment = "<!-- <Visit> <!DOCTYPE x> @dither -->\n" if writer.chance(2) else ""
    source = layout.encode(f"{head}{comment}{body}\n")
    return Made(source=source, layout=layout, visits=visits)


def _visit(writer: _Writer, number: str, *, tidy: bool) -> tuple[MadeVisit, str]:
    draw = writer.draw
    count = draw(st.integers(0, 5))
    numbers = [str(i + 1) for i in range(count)]
    if not tidy:
        numbers = [str(2 * i + 3) for i in range(count)]
    exposures = [_exposure(draw, writer.layout, n, numbers[:i]) for i, n in enumerate(numbers)]
    parts = [_written_exposure(writer, exposure) for exposure in exposures]
    # A run of exposures may stand in a group, and that in another one.
    if count and writer.chance(2):
        first = draw(st.integers(0, count - 1))
        group = parts[first:]
        for _ in range(draw(st.integers(1, 2))):
            attributes = {"Type": "Pattern", "Pattern": "1"} if writer.chance(3) else {}
            group = [writer.holder("ExposureGroup", attributes, group, 3)]
        parts = parts[:first] + group
    tic = draw(st.sampled_from(["true", "false", " true\n", None]))
    head = [writer.element("Comments", {}, writer.text("visit @dither & co"), 3)]
    if tic is not None:
        current = f"<TicDataCurrent>{tic}</TicDataCurrent>"
        head.append(
            writer.holder(
                "TicData", {}, ["<TicFileString>(a &lt; 1)\n</TicFileString>", current], 3
            )
        )
    if writer.chance(2):
        head.append("<!-- <Exposure Number='9'> -->")
    attributes = {"Number": number, "Status": "implementation"}
    made = MadeVisit(number=number, exposures=exposures)
    return made, writer.holder("Visit", attributes, head + parts, 2)


def _exposure(draw: st.DrawFn, layout: Layout, number: str, earlier: list[str]) -> MadeExposure:
    words = COMMENT_WORDS
    if layout.encoding in ("UTF-8", "UTF-16"):
        words = words | WIDE_WORDS
    if layout.encoding == "US-ASCII":
        words = words.filter(str.isascii)
    lines = draw(st.lists(st.lists(words, max_size=3).map(" ".join).map(_harmless), max_size=3))
    if draw(st.booleans()):
        tag = draw(
            st.sampled_from(["@dither", "@dither n=4 size=full", "  @Dither  spacing=wide "])
        )
        lines.insert(draw(st.integers(0, len(lines))), tag)
    if draw(st.integers(1, 4)) == 1:
        lines.insert(0, "@dithered 1/2 old base=0.000,0.000 aptdither=0.0.1")
    return MadeExposure(
        number=number,
        comments="\n".join(lines),
        pos_targ=draw(st.none() | POS_TARGS),
        same_pos_as=draw(st.none() | st.sampled_from(earlier)) if earlier else None,
        iterations=draw(st.sampled_from([1, 1, 1, 3])),
    )


def _harmless(line: str) -> str:
    """Return a line of a comment that is neither a tag nor nearly one."""
    return f". {line}" if line.lstrip().lower().startswith("@dith") else line


def _written_exposure(writer: _Writer, made: MadeExposure) -> str:
    draw, depth = writer.draw, 3
    attributes = {
        "Number": made.number,
        "Label": draw(st.sampled_from(["", "a Number='4' > b", "<PosTarg X='1'/>"])),
        "TargetName": "NGC-104",
        "Config": "WFC3/IR",
        "Opmode": "MULTIACCUM",
        "Aperture": "IR",
        "SpElement": "F160W",
        "NumberOfIterations": str(made.iterations),
    }
    if made.same_pos_as is not None:
        attributes["SamePosAs"] = made.same_pos_as
    attributes["SpecialCommand"] = "false"
    children = []
    if made.pos_targ is not None:
        axes = {"X": str(made.pos_targ.x_arcsec), "Y": str(made.pos_targ.y_arcsec)}
        shown = {axis: text for axis, text in axes.items() if float(text) or writer.chance(2)}
        if writer.chance(4):
            shown = dict(reversed(shown.items()))
        children.append(writer.element("PosTarg", shown, None, depth + 1))
    bare = not made.comments and made.pos_targ is None and made.iterations == 1
    if bare and writer.chance(3):
        return writer.holder("Exposure", attributes, [], depth)
    children += ["<MaxDur />", '<ExposureTime\n Secs="3" />']
    if made.comments or writer.chance(2):
        children.append(writer.element("Comments", {}, writer.text(made.comments), depth + 1))
    elif writer.chance(2):
        children.append("<Comments />")
    children.append(writer.element("InstrumentParameters", {"NSAMP": "12"}, None, depth + 1))
    subs = [
        writer.element(
            "SubExposure",
            {"OrbitNumber": str(i + 1)}
            | ({"CopyNumber": str(i + 1)} if made.iterations > 1 else {}),
            None,
            depth + 2,
        )
        for i in range(made.iterations)
    ]
    children.append(writer.holder("SubExposures", {}, subs, depth + 1))
    return writer.holder("Exposure", attributes, children, depth)


# What a plan may want ------------------------------------------------------------------------------


def pointings(
    index: int, total: int, made_by: MadeBy = MadeBy.OBSERVER
) -> st.SearchStrategy[Position]:
    """Draw a pointing whose receipt has an index and a total."""
    return st.builds(
        lambda pos_targ, base, pattern: Position(
            pos_targ=pos_targ,
            receipt=Receipt(
                index=index,
                total=total,
                pattern=pattern,
                base=base,
                version="0.1.0",
                made_by=made_by,
            ),
        ),
        POS_TARGS,
        POS_TARGS,
        NAMES,
    )


@st.composite
def changes_of(draw: st.DrawFn, proposal: Proposal, *, expand: bool = True) -> tuple[Wish, ...]:
    """Draw changes of some exposures: moved, expanded, or split."""
    changes = []
    for visit in proposal.visits:
        for exposure in visit.exposures:
            if not draw(st.booleans()):
                continue
            deal = expand and exposure.iterations > 1 and draw(st.booleans())
            total = exposure.iterations if deal else draw(st.integers(1, 3)) if expand else 1
            made_by = MadeBy.SPLIT if deal else MadeBy.COPY
            changes.append(
                Wish(
                    exposure=exposure,
                    is_split=deal,
                    positions=tuple(
                        draw(pointings(j + 1, total, made_by if j else MadeBy.OBSERVER))
                        for j in range(total)
                    ),
                )
            )
    return tuple(changes)
