"""Laws of the whole road: bytes in, plan, bytes out, over generated proposals with real tags.

Nothing is stubbed: every example is parsed, planned, rewritten, proven and read again. The patterns
are named, so that no example waits for a search, and equal questions about coverage are answered
once for all examples (the fixture `remembered`). ``APTDITHER_HYPOTHESIS=nightly`` takes 2,000
examples of each law.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from aptdither.apt.document import Document, Edit
from aptdither.apt.proposal import Exposure, Proposal, Visit
from aptdither.apt.reader import parse_proposal
from aptdither.apt.tags import DitherRequest, Method, parse_comments
from aptdither.apt.writer import rewrite_proposal
from aptdither.dither.coverage import Coverage, evaluate
from aptdither.dither.views import View
from aptdither.errors import AptDitherError, RewriteError
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.plan import Plan, make_plan
from tests.strategies import LAYOUTS, Layout, proposals
from tests.wishes import spans_outside

#: Patterns by name, and the number of their points.
PATTERNS = {
    "WFC3-IR-DITHER-LINE": 2,
    "WFC3-IR-DITHER-LINE-3PT": 3,
    "WFC3-IR-DITHER-BOX-MIN": 4,
    "go-13417": 8,
}
OPTIONS = Options(
    defaults=DitherRequest(method=Method.CATALOG),
    sets=SetOptions(split_iterations=True, replace_patterns=True),
)

SIZES = ("full", "point", "0.5arcmin")
SETUPS = (("IR", "F160W"), ("IR", "F125W"), ("IR", "G141"), ("IR-FIX", "F140W"))
BASES = (None, None, ("1.25", "-3"), ("0.0004", "-0.61181"), (None, ".5"))


# Proposals whose tags can be carried out ----------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Written:
    """An exposure as it is written."""

    setup: tuple[str, str] = ("IR", "F160W")
    tag: str | None = None
    words: tuple[str, ...] = ()
    base: tuple[str | None, str | None] | None = None
    same: int | None = None
    iterations: int = 1


@dataclass(frozen=True, kw_only=True)
class Block:
    """Exposures that stand together: a group, nested groups, or by themselves."""

    exposures: tuple[Written, ...]
    depth: int
    is_pattern: bool = False


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """A proposal with tags, which can be written again with other ones.

    Attributes
    ----------
    visits : tuple
        The visit's own tag and its blocks.
    layout : Layout
        How it is written.
    styles : tuple of str
        How the texts of comments are written, taken in turn.
    """

    visits: tuple[tuple[str | None, tuple[Block, ...]], ...]
    layout: Layout
    styles: tuple[str, ...] = field(repr=False)

    @property
    def source(self) -> bytes:
        """The file."""
        return self.layout.encode(_Text(self).proposal())

    def retagged(self, tags: Sequence[str]) -> Tagged:
        """Return the same proposal with its tags replaced, in document order."""
        waiting = iter(tags)

        def again(written: Written) -> Written:
            return written if written.tag is None else replace(written, tag=next(waiting))

        return replace(
            self,
            visits=tuple(
                (
                    tag,
                    tuple(
                        replace(block, exposures=tuple(map(again, block.exposures)))
                        for block in blocks
                    ),
                )
                for tag, blocks in self.visits
            ),
        )


class _Text:
    """Writes a tagged proposal in its layout."""

    def __init__(self, made: Tagged) -> None:
        self.made = made
        self.turn = 0

    def element(self, name: str, attributes: dict[str, str], children: list[str], at: int) -> str:
        layout = self.made.layout
        between = " " if layout.compact else "\n" + "   " * (at + 1)
        before = "" if layout.compact else "\n" + "   " * (at + 1)
        quote = layout.quote
        text = "".join(f"{between}{key}={quote}{value}{quote}" for key, value in attributes.items())
        if not children:
            return f"<{name}{text} />"
        inside = "".join(before + before + child for child in children)
        return f"<{name}{text}>{inside}{before[:-3]}</{name}>"

    def comments(self, text: str) -> str:
        """Write a comment as files may: plain, CDATA, entities, between XML comments."""
        if not text:
            return "<Comments />" if self.turn % 2 else "<Comments></Comments>"
        style = self.made.styles[self.turn % len(self.made.styles)]
        self.turn += 1
        plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        match style:
            case "cdata":
                plain = f"<![CDATA[{text}]]>"
            case "entities":
                plain = "".join(f"&#{ord(c)};" if c in "a@&<>" else c for c in text)
            case "zeros":
                plain = plain.replace("@", "&#000064;").replace("e", "&#x00065;")
            case "commented":
                plain = f"<!-- @dither n=9 <Exposure> -->{plain}<?x @dithered?>"
        return f"<Comments>{plain}</Comments>"

    def proposal(self) -> str:
        visits = [
            self.visit(index, tag, blocks)
            for index, (tag, blocks) in enumerate(self.made.visits, start=1)
        ]
        children = [
            "<!-- <Visit Number='01'/> @dither -->",
            self.element("Observations", {}, ['<Exposure Number="9" />', "<X> a &gt; b </X>"], 1),
            self.element(
                "Patterns",
                {},
                [
                    "<Pattern><Number>1</Number><NumberOfPoints>2</NumberOfPoints></Pattern>",
                ],
                1,
            ),
            self.element("Visits", {}, visits, 1),
        ]
        root = self.element("HSTProposal", {"Phase": "Phase II"}, children, 0)
        return f'<?xml version="1.0" encoding="{self.made.layout.encoding}"?>\n{root}\n'

    def visit(self, index: int, tag: str | None, blocks: Sequence[Block]) -> str:
        children = [
            self.comments(f"about it\n{tag}" if tag else "about it"),
            self.element("TicData", {}, ["<TicDataCurrent>true</TicDataCurrent>"], 3),
        ]
        number = 0
        for block in blocks:
            inside = []
            for written in block.exposures:
                number += 1
                inside.append(self.exposure(number, written, 3 + block.depth))
            for level in range(block.depth):
                kind = {"Type": "Pattern", "Pattern": "1"} if block.is_pattern and not level else {}
                inside = [self.element("ExposureGroup", kind, inside, 2 + block.depth - level)]
            children += inside
        return self.element("Visit", {"Number": f"{index:02}"}, children, 2)

    def exposure(self, number: int, written: Written, at: int) -> str:
        aperture, element = written.setup
        attributes = {
            "Number": str(number),
            "Label": "a Number='4'" if self.made.layout.quote == '"' else "x",
            "TargetName": "NGC-104",
            "Config": "WFC3/IR",
            "Aperture": aperture,
            "SpElement": element,
            "NumberOfIterations": str(written.iterations),
        }
        if written.same is not None:
            attributes["SamePosAs"] = str(written.same)
        children = []
        if written.base is not None:
            axes = {k: v for k, v in zip("XY", written.base, strict=True) if v is not None}
            children.append(self.element("PosTarg", axes, [], at + 1))
        lines = [*written.words]
        if written.tag is not None:
            lines.insert(len(lines) // 2, written.tag)
        children += ["<MaxDur />", self.comments("\n".join(lines))]
        subs = [
            self.element("SubExposure", {"CopyNumber": str(i + 1), "OrbitNumber": "1"}, [], at + 2)
            for i in range(written.iterations)
        ]
        children.append(self.element("SubExposures", {}, subs, at + 1))
        return self.element("Exposure", attributes, children, at)


WORDS = st.lists(
    st.sampled_from(["R&D", "a < b", "dither", "", "  indented", "x" * 70, "not @ dither"]),
    max_size=3,
).map(tuple)


@st.composite
def tags(draw: st.DrawFn, count: int) -> str:
    """Draw a tag that `count` exposures of each setup can follow."""
    fits = [name for name, n in PATTERNS.items() if count == 1 or count % n == 0]
    words = [f"size={draw(st.sampled_from(SIZES))}"] if draw(st.booleans()) else []
    if fits and (count == 1 or count > 8 or draw(st.booleans())):
        name = draw(st.sampled_from(fits))
        words.append(f"pattern={draw(st.sampled_from([name, name.lower()]))}")
        if draw(st.booleans()):
            words.append(f"N={PATTERNS[name]}")
    if draw(st.integers(1, 4)) == 1:
        words.append("spacing=tight")
    tag = " ".join(["@dither", *draw(st.permutations(words))])
    return draw(st.sampled_from([tag, f"  {tag.replace('@dither', '@Dither')} "]))


def _origin(setup: tuple[str, str]) -> str:
    """Return which reference point the POS TARGs of a setup count from."""
    return "grism" if setup[1] == "G141" else setup[0]


@st.composite
def blocks(draw: st.DrawFn, first: int, *, splits: bool = True, visit: int = 0) -> Block:
    """Draw a block whose exposures can be dithered, or are not tagged; numbers begin at `first`."""
    kinds = ["one", "group", "group", "id", "plain", *(["split", "pattern"] if splits else [])]
    kind = draw(st.sampled_from(kinds))
    setups = draw(st.lists(st.sampled_from(SETUPS), min_size=1, max_size=2, unique=True))
    base = draw(st.sampled_from(BASES))
    words = draw(st.lists(WORDS, min_size=24, max_size=24))
    if kind == "plain":
        # Followers of any earlier exposure, and of each other: their numbers shift with expansions.
        same = draw(st.sampled_from([None, *range(1, first)]))
        head = Written(setup=setups[0], words=words[0], base=None if same else base, same=same)
        follower = Written(
            setup=setups[-1] if _origin(setups[-1]) == _origin(setups[0]) else setups[0],
            words=words[1],
            same=first,
        )
        return Block(exposures=(head, follower), depth=0)
    if kind in ("one", "split", "pattern"):
        iterations = draw(st.sampled_from([2, 4])) if kind == "split" else 1
        runs = 2 if kind == "pattern" else iterations
        only = Written(
            setup=setups[0], tag=draw(tags(runs)), words=words[0], base=base, iterations=iterations
        )
        return Block(
            exposures=(only,), depth=0 if kind == "one" else 1, is_pattern=kind == "pattern"
        )
    count = draw(st.sampled_from([2, 3, 4, 6, 8]))
    count = min(count, 4) if len(setups) > 1 else count
    order = [setup for _ in range(count) for setup in setups]
    # The same POS TARG is the same position only about the same reference point.
    follows = (
        base is None and len({_origin(setup) for setup in setups}) == 1 and draw(st.booleans())
    )
    exposures = [
        Written(
            setup=setup,
            words=words[i],
            base=base,
            same=first if follows and i else None,
        )
        for i, setup in enumerate(order)
    ]
    tag = draw(tags(count))
    if kind == "id":
        name = f"set{visit}.{first}"
        exposures = [replace(e, tag=f"@dither id={name}") for e in exposures]
        exposures[0] = replace(exposures[0], tag=f"{tag} id={name}")
        return Block(exposures=tuple(exposures), depth=0)
    holder = draw(st.integers(0, len(exposures) - 1))
    exposures[holder] = replace(exposures[holder], tag=tag)
    return Block(exposures=tuple(exposures), depth=draw(st.integers(1, 3)))


#: A visit whose own Comments hold the tag: each group, and what stands alone, is a set of pairs.
VISIT_TAGGED = st.tuples(
    st.sampled_from(["@dither n=2 pattern=WFC3-IR-DITHER-LINE", "@dither size=point n=2"]),
    st.lists(
        st.builds(
            Block,
            exposures=st.builds(
                Written, setup=st.sampled_from(SETUPS), words=WORDS, base=st.none()
            ).map(lambda written: (written,) * 2),
            depth=st.integers(1, 2),
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
)


@st.composite
def tagged(draw: st.DrawFn, *, plain: bool = False) -> Tagged:
    """Draw a proposal whose tags can all be carried out; `plain`: and be found in its text.

    Then without iterations and pattern positions: once exposures, they stay what they are.
    """
    visits: list[tuple[str | None, tuple[Block, ...]]] = []
    if not plain and draw(st.integers(1, 4)) == 1:
        visits.append(draw(VISIT_TAGGED))
    for index in range(draw(st.integers(1, 2))):
        made: list[Block] = []
        number = 1
        for _ in range(draw(st.integers(1, 3))):
            block = draw(blocks(number, splits=not plain, visit=index))
            number += len(block.exposures)
            made.append(block)
        visits.append((None, tuple(made)))
    styles = st.sampled_from(["plain", "plain", "cdata", "entities", "commented", "zeros"])
    if plain:
        styles = st.just("plain")
    return Tagged(
        visits=tuple(visits),
        layout=draw(LAYOUTS),
        styles=tuple(draw(st.lists(styles, min_size=1, max_size=4))),
    )


def road(source: bytes, options: Options = OPTIONS) -> tuple[Proposal, Plan, bytes]:
    """Take the road that `apply` takes."""
    proposal = parse_proposal(source)
    plan = make_plan(proposal, options)
    return proposal, plan, rewrite_proposal(proposal, plan.changes)


def _became(plan: Plan) -> dict[int, int]:
    """Return how many exposures each exposure of a set becomes, by its node."""
    moved = (new for change in plan.changes for new in change.exposures if new.pos_targ)
    return Counter(new.source.node for new in moved) | {
        exposure.node: 0 for change in plan.changes for exposure in change.removed
    }


def exposures_of(proposal: Proposal) -> list[Exposure]:
    return [exposure for visit in proposal.visits for exposure in visit.exposures]


# The laws -----------------------------------------------------------------------------------------


@given(tagged())
def test_the_generator_makes_what_can_be_carried_out(made: Tagged) -> None:
    """Otherwise the laws below would hold of nothing."""
    _, plan, new = road(made.source)
    wanted = sum(
        tag is not None or any(e.tag is not None for e in block.exposures)
        for tag, held in made.visits
        for block in held
    )
    event(f"{wanted} sets")
    assert len(plan.groups) >= wanted
    assert (new == made.source) == (wanted == 0)


@given(tagged())
def test_no_tag_no_change(made: Tagged) -> None:
    """The very same bytes, whatever else stands in the comments."""
    untagged = replace(made, visits=tuple((None, held) for _, held in made.visits))
    count = sum(e.tag is not None for _, held in made.visits for b in held for e in b.exposures)
    bare = untagged.retagged(["dither @ n=4, an @ditherer: @ dither"] * count).source
    proposal, plan, new_bytes = road(bare)
    assert plan.groups == ()
    assert new_bytes is proposal.document.source
    assert new_bytes == bare


@given(proposals())
def test_what_cannot_be_carried_out_is_refused_by_name(made: object) -> None:
    """Wild proposals: planned or refused, never a fault."""
    source = made.source  # type: ignore[attr-defined]
    try:
        _, plan, new = road(source)
    except RewriteError:
        raise
    except AptDitherError as error:
        event(type(error).__name__)
        said = error.lines()
        assert said
        assert all(line.strip() for line in said)
    else:
        event("planned")
        assert (new == source) or plan.groups


@given(tagged())
def test_bytes_outside_the_edits_are_identical(made: Tagged) -> None:
    asked: list[Edit] = []
    honest = Document.apply

    def listen(self: Document, edits: list[Edit]) -> bytes:
        asked.extend(edits)
        return honest(self, edits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Document, "apply", listen)
        proposal, _, new = road(made.source)
    document = proposal.document
    view, codec = document.view, document.encoding
    new_view = new.decode(document.source_encoding).encode(codec)
    at = 0
    edits = sorted(asked, key=lambda edit: edit[:2])
    news = [*(edit.new for edit in edits), b""]
    for (start, stop), inserted in zip(spans_outside(edits, len(view)), news, strict=True):
        assert new_view[at : at + stop - start] == view[start:stop]
        at += stop - start + len(inserted)
    assert at == len(new_view)
    # And the edits stand where they are needed: in visits that have something tagged, a line each.
    for edit in edits:
        assert view.index(b"<Visits") < edit.start <= edit.stop <= view.rindex(b"</Visits")


@given(tagged())
def test_it_differs_only_where_planned(made: Tagged) -> None:
    """A second parser, the whole tree: only tagged exposures differ, only in what is dithered."""
    proposal, plan, new = road(made.source)
    became = _became(plan)
    before, after = (_elements(data, made.layout) for data in (made.source, new))
    # For each exposure of the new file: whether it, or what it is a copy of, was to be dithered.
    times = [(became.get(e.node, 1), e.node in became) for e in exposures_of(proposal)]
    old_times, new_touched = iter(times), iter([is_in for n, is_in in times for _ in range(n)])
    expected: list[object] = []
    for item in before:
        if isinstance(item, ET.Element):
            count, is_in = next(old_times)
            expected += [_told(item, touched=is_in)] * count
        else:
            expected.append(item)
    found = [
        _told(item, touched=next(new_touched)) if isinstance(item, ET.Element) else item
        for item in after
    ]
    assert found == expected


def _elements(source: bytes, layout: Layout) -> Iterator[object]:
    """Yield what stands outside of exposures as plain values, and exposures as elements."""
    text = source.decode(_codec(layout)).split("?>", 1)[1]
    waiting = [ET.fromstring(text)]
    in_visits = False
    while waiting:
        element = waiting.pop()
        in_visits = in_visits or element.tag == "Visits"
        if element.tag == "Exposure" and in_visits:
            yield element
            continue
        held = "" if element.tag == "TicDataCurrent" else (element.text or "").strip()
        attributes = dict(element.attrib)
        if element.tag == "ExposureGroup":
            attributes.pop("Type", None), attributes.pop("Pattern", None)
        yield element.tag, attributes, held
        waiting.extend(reversed(element))


def _told(exposure: ET.Element, *, touched: bool) -> object:
    """Return an exposure as plain values, without what may change in it."""
    may_change = {"Number", "SamePosAs"}
    if touched:
        may_change.add("NumberOfIterations")
    attributes = {k: v for k, v in exposure.attrib.items() if k not in may_change}
    children = [
        ET.tostring(child).strip()
        for child in exposure
        if not touched or child.tag not in ("PosTarg", "Comments", "SubExposures")
    ]
    lines = []
    if touched:
        text = "".join(exposure.find("Comments").itertext())  # type: ignore[union-attr]
        lines = [x for x in text.splitlines() if x.strip() and not x.strip().startswith("@")]
        lines = [x for x in lines if not x.strip().lower().startswith("@dither")]
    return attributes, children, lines


@given(tagged())
def test_twice_is_once(made: Tagged) -> None:
    _, _, once = road(made.source)
    proposal, plan, twice = road(once)
    assert twice is proposal.document.source
    assert twice == once
    assert len(plan.groups) == len(road(made.source)[1].groups)


@given(tagged(plain=True), st.data())
def test_a_changed_tag_is_as_if_it_had_been_the_first(made: Tagged, data: st.DataObject) -> None:
    """Apply, change the tags, apply: the bytes that the changed tags give the original."""
    sets = [block for _, held in made.visits for block in held]
    old_tags, new_tags = [], []
    for block in sets:
        carried = [e.tag for e in block.exposures if e.tag is not None]
        if carried:
            count = len(block.exposures) // len({e.setup for e in block.exposures})
            tag = data.draw(tags(count)).strip()
            # Tags that share an id: the first speaks for all. The blanks around it stay.
            said = f"{tag} {carried[0].split()[-1]}" if len(carried) > 1 else tag
            said = carried[0].replace(carried[0].strip(), said)
            old_tags += carried
            new_tags += [said, *carried[1:]]
    text = road(made.source)[2].decode(_codec(made.layout))
    at = text.index("<Visits")
    for old, new in zip(old_tags, new_tags, strict=True):
        found = re.compile(re.escape(old) + r"(?=[\r\n<])").search(text, at)
        assert found is not None
        text = text[: found.start()] + new + text[found.end() :]
        at = found.start() + len(new)
    event("changed" if old_tags != new_tags else "the same")
    again = road(text.encode(_codec(made.layout)))[2]
    assert again == road(made.retagged(new_tags).source)[2]


def _codec(layout: Layout) -> str:
    return "utf-16-le" if layout.encoding == "UTF-16" else layout.encoding


@given(tagged())
def test_coverage_read_back_is_coverage_reported(made: Tagged) -> None:
    """What the report says is computed anew from the file that was written, by number alone."""
    _, plan, new = road(made.source)
    visits = {visit.number: visit for visit in parse_proposal(new).visits}
    for group in plan.groups:
        by_number = {e.number: e for e in visits[str(group.visit)].exposures}
        members = [by_number[point.number] for point in group.points]
        receipts = [parse_comments(e.comments).receipts[0] for e in members]
        (base,) = {r.base.xy_arcsec for r in receipts}
        assert [r.index for r in receipts] == list(range(1, len(members) + 1))
        assert {r.total for r in receipts} == {len(members)}
        assert {(e.aperture, e.spectral_element) for e in members} == {
            (group.aperture.name, group.element.name)
        }
        there = np.array(
            [(e.pos_targ.x_arcsec, e.pos_targ.y_arcsec) for e in members if e.pos_targ]
        )
        aperture = get_aperture(members[0].aperture, members[0].spectral_element)
        read = evaluate(
            np.round(there - base, 9) + 0.0,
            View(aperture, get_element(members[0].spectral_element, "WFC3/IR"), group.region),
            base=base,
        )
        # The last bit depends on where in memory an array lies: BLAS takes another path.
        assert _numbers(read) == pytest.approx(_numbers(group.coverage), rel=1e-9, abs=1e-12)


def _numbers(coverage: Coverage) -> list[float]:
    """Return every metric at the centre and at the worst place; infinity for none."""
    return [
        math.inf if value is None else value
        for location in (coverage.center, coverage.worst)
        for value in asdict(location).values()
    ]


@given(tagged())
def test_numbers_stay_unique_and_references_right(made: Tagged) -> None:
    before, plan, new = road(made.source)
    after = parse_proposal(new)
    counts = _became(plan)
    for old, became in zip(before.visits, after.visits, strict=True):
        numbers = [exposure.number for exposure in became.exposures]
        assert numbers == [str(i + 1) for i in range(len(numbers))]
        first_of: dict[str, Exposure] = {}
        waiting = iter(became.exposures)
        for exposure in old.exposures:
            copies = [next(waiting) for _ in range(counts.get(exposure.node, 1))]
            first_of[exposure.number] = copies[0]
        assert next(waiting, None) is None
        for exposure in old.exposures:
            new_one = first_of[exposure.number]
            if exposure.node in counts or exposure.same_pos_as is None:
                assert new_one.same_pos_as is None
            else:
                target = first_of[exposure.same_pos_as]
                assert new_one.same_pos_as == target.number
                assert _resolved(became, new_one) == _resolved(became, target)


def _resolved(visit: Visit, exposure: Exposure) -> object:
    return visit.resolve_same_pos_as(exposure).pos_targ
