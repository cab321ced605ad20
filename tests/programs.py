"""Hypothesis strategies: small programs with many tags, and what people do to them after a dither.

:func:`programs` draws a file that `apply` carries out or refuses: several tags, ids that join groups
and visits, mixed apertures, POS TARGs near and far, containers that are not known. :func:`edited`
draws an edit of a file as people make it in APT. Patterns are named or from the catalog, so that no
example waits for a search.
"""

from __future__ import annotations

import re

from hypothesis import strategies as st

from tests.made import box_pattern, exposure, group, proposal, visit

#: Aperture and spectral element; the first is drawn most.
SETUPS = (
    *(("IR", "F160W"),) * 4,
    ("IR", "F125W"),
    ("IRSUB64", "F160W"),
    ("GRISM1024", "G141"),
)
PATTERNS = {
    "tight-2": 2,
    "WFC3-IR-DITHER-LINE": 2,
    "tight-3": 3,
    "tight-4": 4,
    "wide-4": 4,
    "WFC3-IR-DITHER-BOX-MIN": 4,
}
SIZES = ("full", "full", "point", "4arcsec", "20arcsec", "121arcsec")
POS_TARGS = (None, None, None, ("0.5", "-0.25"))
WORDS = ("", "", "R&amp;D", "repeat of exposure 2", "undithered, @home")

#: What is unusual about a program: most have nothing.
ODD = (
    *("",) * 8,
    *("unknown container", "APT pattern", "iterations", "completed", "far off", "SamePosAs"),
    *("a tag on each", "any tag", "any id", "a tag of the visit too"),
)


@st.composite
def tags(draw: st.DrawFn, count: int, *, is_any: bool = False) -> str:
    """Draw a tag that `count` exposures of a setup can follow, or any tag."""
    n = draw(st.sampled_from((2, 3, 4))) if count == 1 or is_any else count
    fits = [name for name, points in PATTERNS.items() if points == n]
    words: list[str] = []
    if draw(st.booleans()):
        words.append(f"size={draw(st.sampled_from(SIZES))}")
    if draw(st.booleans()) and fits:
        words.append(f"pattern={draw(st.sampled_from(fits))}")
    if count == 1 or draw(st.booleans()):
        words.append(f"n={n}")
    return " ".join(("@dither", *words, "method=catalog"))


@st.composite
def programs(draw: st.DrawFn) -> bytes:
    """Draw a program of one to three visits."""
    odd = draw(st.sampled_from(ODD))
    visits = []
    for index in range(draw(st.integers(1, 3))):
        count = draw(st.sampled_from((1, 2, 2, 3, 4)))
        # The Comments of a visit speak for groups of equal size.
        by_visit = draw(st.integers(0, 3)) == 0
        comments = draw(tags(count)) if by_visit else draw(st.sampled_from(WORDS))
        if odd == "a tag of the visit too":
            comments = draw(tags(count))
        first, blocks = 1, []
        for _ in range(draw(st.integers(1, 3))):
            size = count if by_visit else draw(st.sampled_from((1, 2, 3, 4)))
            blocks.append(draw(_block(first, size, odd, is_tagged=not by_visit)))
            first += size
        status = "completed" if odd == "completed" and index == 0 else "implementation"
        visits.append(visit(*blocks, number=f"{index + 1:02}", comments=comments, status=status))
    return proposal(*visits, patterns=box_pattern())


@st.composite
def _block(draw: st.DrawFn, first: int, count: int, odd: str, *, is_tagged: bool) -> str:
    """Draw exposures that stand together: in a group, by an id, or in something that is not known."""
    setup = draw(st.sampled_from(SETUPS))
    pos_targ = draw(st.sampled_from(POS_TARGS))
    if odd == "far off":
        pos_targ = draw(st.sampled_from((("60", "0"), ("70", "0"), ("200", "0"))))
    filters = [setup]
    if setup == ("IR", "F160W") and draw(st.booleans()):
        filters.append(("IR", "F125W"))
    is_grouped = draw(st.booleans())
    tag = (
        draw(tags(count, is_any=odd == "any tag")) if is_tagged and draw(st.integers(0, 4)) else ""
    )
    if tag and (not is_grouped or odd == "any id"):
        tag += f" id={draw(st.sampled_from('ab'))}" if odd == "any id" else f" id=set{first}"
    made = []
    for i in range(count * len(filters)):
        aperture, element = filters[i % len(filters)]
        follows = odd == "SamePosAs" and i > 0
        holds_tag = not is_grouped or odd == "a tag on each" or i == 0
        words = [draw(st.sampled_from(WORDS)), tag if holds_tag else ""]
        made.append(
            exposure(
                first * 10 + i,
                aperture=aperture,
                element=element,
                postarg=None if follows else pos_targ,
                same=str(first * 10) if follows else None,
                comments="\n".join(filter(None, words)),
                iterations=draw(st.sampled_from((1, 3))) if odd == "iterations" else 1,
                orbits=(draw(st.sampled_from((1, 1, 2))),),
            )
        )
    if odd == "unknown container" and draw(st.booleans()):
        return f"<NewGroup>{''.join(made)}</NewGroup>"
    if odd == "APT pattern" and is_grouped:
        return group(*made, attributes=' Type="Pattern" Pattern="1"')
    return group(*made) if is_grouped else "\n".join(made)


# What people do after a dither ----------------------------------------------------------------------

_EXPOSURE = re.compile(rb"<Exposure .*?</Exposure>\n?", re.DOTALL)
_VISIT = re.compile(rb"<Visit .*?</Visit>\n?", re.DOTALL)
_POS_TARG = re.compile(rb'(<PosTarg\s+X=")([^"]*)"')
_RECEIPT = re.compile(rb"\n?@dithered [^<\n]*")
_TAG = re.compile(rb"@dither [^<\n]*")


@st.composite
def edited(draw: st.DrawFn, source: bytes) -> tuple[str, bytes]:
    """Draw an edit of a file: its name and the file after it."""
    kind = draw(st.sampled_from(tuple(_EDITS)))
    pattern = _EDITS[kind]
    places = list(pattern.finditer(source))
    if not places:
        return "none", source
    place = draw(st.sampled_from(places))
    text = place[0]
    match kind:
        case "move all":
            return kind, _POS_TARG.sub(_moved, source)
        case "dissolve the groups":
            return kind, re.sub(rb"</?ExposureGroup>\n?", b"", source)
        case "lose the receipts":
            return kind, _RECEIPT.sub(b"", source)
        case "lose the tags":
            return kind, _TAG.sub(b"", source)
        case "move one":
            new = _moved(place)
        case "delete an exposure" | "lose a receipt" | "lose a tag":
            new = b""
        case "copy an exposure":
            new = text + text.replace(b'Number="', b'Number="9', 1)
        case "swap two exposures":
            after = _EXPOSURE.match(source, place.end())
            if after is None:
                return "none", source
            swapped = after[0] + text
            return kind, source[: place.start()] + swapped + source[after.end() :]
        case "copy a visit":
            new = text + _POS_TARG.sub(_moved, text.replace(b'Number="', b'Number="9', 1))
        case "put into an unknown container":
            new = b"<NewGroup>" + text + b"</NewGroup>"
        case "change the setup":
            new = text.replace(b"F160W", b"F125W")
        case "write a comment":
            new = text.replace(b"</Comments>", b"\nby hand</Comments>")
        case _:
            new = draw(tags(draw(st.integers(1, 4)))).encode()
    return kind, source[: place.start()] + new + source[place.end() :]


def _moved(found: re.Match[bytes]) -> bytes:
    return found[1] + f'{float(found[2]) + 5:.3f}"'.encode()


_EDITS = {
    "move all": _POS_TARG,
    "move one": _POS_TARG,
    "dissolve the groups": re.compile(rb"<ExposureGroup>"),
    "lose the receipts": _RECEIPT,
    "lose a receipt": _RECEIPT,
    "lose the tags": _TAG,
    "lose a tag": _TAG,
    "change a tag": _TAG,
    "delete an exposure": _EXPOSURE,
    "copy an exposure": _EXPOSURE,
    "swap two exposures": _EXPOSURE,
    "change the setup": _EXPOSURE,
    "write a comment": _EXPOSURE,
    "put into an unknown container": _EXPOSURE,
    "copy a visit": _VISIT,
}
