"""Ways to damage a proposal: some as a disk or a network would, some as a careless hand would.

:func:`mutated` is a pure function of a seed number, so that any input can be had again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from tests.fuzz.corpus import Seed

#: Numbers that are none, or are not what they seem.
NASTY_NUMBERS = (
    *("", " ", "NaN", "nan", "inf", "-inf", "1e999", "-1e999", "1e308", "1e-320", "0x10", "1,5"),
    *("0.5arcsec", "--1", "+", ".", "1.", ".5", "1e", "-0", "-0.0000001", "1_000", "٣", "½", "１"),
    *("9" * 400, "0" * 5000 + "1", "99999999999999999999", "2147483648", "-1", "0", "true", "None"),
)

#: Text that someone else's code might trip over.
NASTY_TEXTS = (
    *("&", "&amp;", "&#0;", "&#x1b;[2J", "&#x9b;31m", "&#xD;", "&#xFFFE;", "&#55296;", "&x;"),
    *("<", ">", "]]>", "<![CDATA[", "<!--", "-->", "<?x", "?>", "<!DOCTYPE x>", "<!ENTITY a 'b'>"),
    *("\0", "\x1b[31m", "\r", "\r\n", "\u2028", "\u202e", "[bold]x[/bold]", "[/]", "%s{0}", "\\"),
    *("@dither", "@dithered", "\n@dither n=4\n", "@dithered 1/2 x base=1e999,0 aptdither=0 copy"),
    *("&#" + "0" * 4999 + "65;", "x" * 5000, "\x81", "\xff", "\ufeff", "\ufffe", "ａ"),
)

NASTY_WORDS = (
    *("n=0", "n=1", "n=4", "n=7", "n=99", "n=1001", "n=4.5", "n=-1", "n=", "n", "size=0pix"),
    *("size=1e-300pix", "size=1e308pix", "size=nanarcsec", "size=point", "size=2000arcsec"),
    *("spacing=1e-9pix", "spacing=1e300pix", "spacing=tight", "spacing=wide", "spacing=30pix"),
    *("pattern=tight-4", "pattern=no-such", "pattern=" + "x" * 3000, "method=catalog"),
    *("id=a", "id=b", "id=[red]", "N=2", "size=full", "size=1arcsec", "=", "a=b=c", "@dither"),
)

_VALUE = re.compile(rb"""=\s*("[^"]*"|'[^']*')""")
_TAG = re.compile(rb"@dither[^<\r\n]*")
_TEXT = re.compile(rb">[^<]+<")
_MARKUP = re.compile(rb"<[^>]*>")


def mutated(seeds: Sequence[Seed], number: int, seed: int = 0) -> tuple[str, bytes]:
    """Return a description and a damaged file; the same arguments give the same bytes."""
    rng = random.Random(f"{seed}/{number}")
    origin = rng.choice(seeds)
    data = origin.data
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        mutation = rng.choices(MUTATIONS, WEIGHTS)[0]
        data = mutation(rng, data)
        done.append(mutation.__name__.strip("_"))
    return f"{origin.name}: {', '.join(done)}", data


def _at(rng: random.Random, data: bytes) -> int:
    """Choose a place, often one where something stands that is read."""
    if rng.random() < 0.5:
        word = rng.choice(
            (b"@dither", b"<Exposure", b"<Comments", b"<PosTarg", b"<Visit", b"Pattern", b"Number")
        )
        found = data.find(word, rng.randrange(len(data) or 1))
        if found >= 0:
            return min(len(data), found + rng.randrange(-20, 60)) if found > 20 else found
    return rng.randrange(len(data) + 1)


def _flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            at = min(_at(rng, data), len(changed) - 1)
            changed[at] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = _at(rng, data)
    new = rng.choice(
        (
            rng.randbytes(rng.randrange(1, 9)),
            rng.choice(NASTY_TEXTS).encode("utf-8", "surrogatepass"),
            rng.choice(b"<>&\"'=/ \n\0").to_bytes(1, "little"),
        )
    )
    return data[:at] + new + data[at:]


def _delete(rng: random.Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + data[at + rng.choice((1, 1, 2, 4, 30)) :]


def _chunk(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = _at(rng, data)
    return start, min(len(data), start + rng.choice((3, 30, 300, 3000)))


def _duplicate(rng: random.Random, data: bytes) -> bytes:
    start, stop = _chunk(rng, data)
    return data[:stop] + data[start:stop] * rng.choice((1, 1, 3, 50)) + data[stop:]


def _remove(rng: random.Random, data: bytes) -> bytes:
    start, stop = _chunk(rng, data)
    return data[:start] + data[stop:]


def _swap(rng: random.Random, data: bytes) -> bytes:
    (a, b), (c, d) = sorted((_chunk(rng, data), _chunk(rng, data)))
    b = min(b, c)
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: _at(rng, data)] if rng.random() < 0.8 else data[_at(rng, data) :]


def _replace(rng: random.Random, data: bytes, pattern: re.Pattern[bytes], new: bytes) -> bytes:
    """Replace one match, chosen by chance, by `new`."""
    start = rng.randrange(len(data) or 1)
    match = pattern.search(data, start) or pattern.search(data)
    return data if match is None else data[: match.start()] + new + data[match.end() :]


def _value(rng: random.Random, data: bytes) -> bytes:
    """Give an attribute a value that is no good."""
    text = rng.choice(NASTY_NUMBERS if rng.random() < 0.7 else NASTY_TEXTS).replace('"', "")
    return _replace(rng, data, _VALUE, b'="' + text.encode("utf-8", "surrogatepass") + b'"')


def _known_value(rng: random.Random, data: bytes) -> bytes:
    """The same, of an attribute that is read."""
    name = rng.choice(
        (
            *(b"X", b"Y", b"Number", b"NumberOfIterations", b"SamePosAs", b"Pattern", b"Type"),
            *(b"Config", b"Aperture", b"SpElement", b"OrbitNumber", b"Status", b"TargetName"),
        )
    )
    others = (*NASTY_NUMBERS, "1", "2", "3", "WFC3/IR", "IR", "IR-FIX", "F125W", "G141", "Pattern")
    new = name + b'="' + rng.choice(others).encode() + b'"'
    return _replace(rng, data, re.compile(rb"\b" + name + rb'\s*=\s*"[^"]*"'), new)


def _number_text(rng: random.Random, data: bytes) -> bytes:
    """Give an element a text that is no good, those of patterns first."""
    name = rng.choice(
        (b"NumberOfPoints", b"PointSpacing", b"LineSpacing", b"Orientation", b"Number")
    )
    new = b"<" + name + b">" + rng.choice(NASTY_NUMBERS).encode() + b"</" + name + b">"
    return _replace(rng, data, re.compile(b"<" + name + b">[^<]*</" + name + b">"), new)


def _tag(rng: random.Random, data: bytes) -> bytes:
    """Change the words of a tag, or write one where none is."""
    words = rng.sample(NASTY_WORDS, rng.randrange(0, 4))
    new = " ".join(("@dither", *words)).encode()
    if rng.random() < 0.3:
        return _replace(
            rng, data, re.compile(rb"<Comments />"), b"<Comments>" + new + b"</Comments>"
        )
    if rng.random() < 0.5:
        return _replace(
            rng,
            data,
            re.compile(rb"(?<=@dither)(?=[ <])"),
            b" " + words[0].encode() if words else b"ed",
        )
    return _replace(rng, data, _TAG, new)


def _text(rng: random.Random, data: bytes) -> bytes:
    new = b">" + rng.choice(NASTY_TEXTS).encode("utf-8", "surrogatepass") + b"<"
    return _replace(rng, data, _TEXT, new)


def _markup(rng: random.Random, data: bytes) -> bytes:
    """Put one piece of markup where another was."""
    pieces = _MARKUP.findall(data[: 1 << 16]) or [b"<a/>"]
    return _replace(rng, data, _MARKUP, rng.choice(pieces))


def _nest(rng: random.Random, data: bytes) -> bytes:
    """Wrap what stands at a place in elements, to a depth that is allowed or far beyond."""
    depth = rng.choice((1, 5, 200, 300, 20_000))
    name = rng.choice((b"ExposureGroup", b"Visit", b"Exposure", b"a"))
    match = re.compile(rb"<(Exposure|ExposureGroup|Visit)[ \r\n>]").search(data, _at(rng, data))
    if match is None:
        return data
    end = data.find(b"</" + match[1] + b">", match.end())
    stop = len(data) if end < 0 else end + len(match[1]) + 3
    opened, closed = (b"<" + name + b">") * depth, (b"</" + name + b">") * depth
    return data[: match.start()] + opened + data[match.start() : stop] + closed + data[stop:]


def _encoding(rng: random.Random, data: bytes) -> bytes:
    """Say another encoding, or use one that was not said."""
    names = ("UTF-8", "UTF-16", "UTF-16LE", "ISO-8859-1", "US-ASCII", "windows-1252", "UTF-7", "x")
    if rng.random() < 0.5:
        new = f'encoding="{rng.choice(names)}"'.encode()
        return _replace(rng, data, re.compile(rb'encoding="[^"]*"'), new)
    codec = rng.choice(
        ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp500", "cp1252")
    )
    return data.decode("latin-1").encode(codec, "replace")


MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    *(_flip, _insert, _delete, _duplicate, _remove, _swap, _truncate, _value, _known_value),
    *(_number_text, _tag, _text, _markup, _nest, _encoding),
)
WEIGHTS = (6, 6, 4, 4, 4, 3, 2, 8, 12, 3, 14, 6, 5, 3, 3)
