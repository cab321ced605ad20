"""What is mutated: real proposals where there are some, and made ones that have every feature."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import find_apt_dir
from tests.made import box_pattern, exposure, group, proposal, visit

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

BOX = "pattern=WFC3-IR-DITHER-BOX-MIN"
LINE = "pattern=WFC3-IR-DITHER-LINE"
PATTERN = ' Type="Pattern" Pattern="1"'


@dataclass(frozen=True, kw_only=True)
class Seed:
    """A good file that bad ones are made from."""

    name: str
    data: bytes = field(repr=False)


def seeds() -> list[Seed]:
    """Return the corpus, always in the same order."""
    paths = sorted(EXAMPLES.glob("*.apt"))
    folder = find_apt_dir()
    if folder is not None:
        paths += sorted(folder.glob("*.apt"))
    found = [Seed(name=path.name, data=path.read_bytes()) for path in paths]
    # The real files observe with other instruments: turned to WFC3/IR and tagged, they are planned.
    found += [
        Seed(name=f"{seed.name}, tagged", data=_tagged(seed.data))
        for seed in found
        if seed.name.startswith("go-")
    ]
    return found + _made()


def _tagged(source: bytes) -> bytes:
    """Make a real proposal one that is dithered, in its own layout."""
    for name, value in (
        *(("Config", "WFC3/IR"), ("Aperture", "IR"), ("SpElement", "F160W")),
        ("TargetName", "STAR"),
    ):
        new = f'{name}="{value}"'.encode()
        source = re.sub(rf'\b{name}="[^"]*"'.encode(), new, source)
    source = source.replace(b'Status="completed"', b'Status="implementation"')
    source = re.sub(rb'NumberOfIterations="\d+"', b'NumberOfIterations="1"', source)
    source = source.replace(b'Type="Pattern"', b"").replace(b'Pattern="1"', b"")
    tag = b"<Comments>@dither id=a</Comments>"
    head, visits = source.split(b"<Visits>", 1)
    pieces = visits.split(b"<Exposure\n" if b"<Exposure\n" in visits else b"<Exposure\r\n")
    end = b"<Exposure\n" if b"<Exposure\n" in visits else b"<Exposure\r\n"
    tagged = [pieces[0], *(piece.replace(b"<Comments />", tag, 1) for piece in pieces[1:9])]
    return head + b"<Visits>" + end.join([*tagged, *pieces[9:]])


def _made() -> list[Seed]:
    """Return small proposals that reach every branch of the road."""
    box, line = f"@dither {BOX}", f"@dither n=2 {LINE}"
    receipt = "@dithered {}/2 old base=0.100,0.000 aptdither=0.1.0"
    rich = proposal(
        visit(
            exposure(1, comments=f"R&amp;D &#60;\n{box} size=30arcsec"),
            exposure(2, same="1", comments="<![CDATA[a < b]]>"),
            group(
                exposure(3, comments=line, postarg=("0.5", "-1.25")),
                exposure(4, element="F125W", same="3"),
                group(exposure(5, element="F125W", postarg=("0.5", "-1.25")), exposure(6)),
            ),
            exposure(7, element="G141", scan=True),
        ),
        visit(
            group(*(exposure(i, comments=box if i == 1 else "") for i in range(1, 9))),
            exposure(9, comments=f"{line} id=b"),
            exposure(10, comments="@dither id=b"),
            number="02",
            comments="notes",
        ),
        visit(
            group(exposure(1, positions=4), attributes=PATTERN),
            exposure(2, iterations=3),
            number="03",
        ),
        patterns=box_pattern(),
    )
    again = proposal(
        visit(
            group(
                exposure(1, comments=f"{line}\n{receipt.format(1)}", postarg=("0.100", "0.000")),
                exposure(2, comments=f"{receipt.format(2)} copy", postarg=("0.574", "0.424")),
                exposure(3, element="F125W", same="1"),
            ),
            comments="about the visit",
        ),
        visit(exposure(1), exposure(2, same="1"), number="02", comments=line),
    )
    joined = proposal(
        visit(
            group(exposure(1, comments=f"{line} id=a"), exposure(2)),
            f"<NewGroup>{exposure(3, comments=line)}</NewGroup>",
        ),
        visit(
            exposure(1, comments="@dither id=a"),
            exposure(2, comments="@dither id=a"),
            exposure(3, comments=f"{line}\nrepeat of exposure 2", aperture="IRSUB64"),
            exposure(4, element="G141"),
            number="02",
        ),
    )
    edited = proposal(
        visit(
            exposure(1, comments=f"@dither n=4\n{receipt.format(1)}", postarg=("0.1", "0")),
            exposure(2, comments=f"{receipt.format(2)} copy\nby hand", postarg=("5.574", "0.424")),
            exposure(3, element="F125W", comments=receipt.format(2), postarg=("0.574", "0.424")),
        )
    )
    utf16 = rich.decode().replace("UTF-8", "UTF-16").encode("utf-16")
    latin = rich.decode().replace("UTF-8", "ISO-8859-1").replace("notes", "µ ½ é").encode("latin-1")
    western = latin.replace(b"ISO-8859-1", b"windows-1252")
    crlf = again.replace(b"\n", b"\r\n")
    return [
        Seed(name="made: rich", data=rich),
        Seed(name="made: dithered before", data=again),
        Seed(name="made: joined by id", data=joined),
        Seed(name="made: edited after a dither", data=edited),
        Seed(name="made: UTF-16", data=utf16),
        Seed(name="made: ISO-8859-1", data=latin),
        Seed(name="made: windows-1252", data=western),
        Seed(name="made: CRLF", data=crlf),
    ]
