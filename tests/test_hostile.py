"""Input that means harm, or is merely broken: refused in bounded time and memory, by name.

Small inputs go through the library, in this process, with a bound on time. Whatever is large, or
not a file, goes to the command line as a process with bounds of its own.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from aptdither.apt import limits
from aptdither.apt.reader import parse_proposal
from aptdither.apt.tags import DitherRequest, Method, parse_comments
from aptdither.apt.writer import rewrite_proposal
from aptdither.dither.catalog import load_catalog
from aptdither.errors import MAX_MESSAGE, AptDitherError, OpticsError
from aptdither.optics.aperture import get_aperture
from aptdither.optics.ecsv import MAX_HEADER, MAX_LINES
from aptdither.optics.pointing_fit import read_measurements
from aptdither.planning.options import Options, SetOptions
from aptdither.planning.plan import make_plan
from tests.made import box_pattern, exposure, group, proposal, six, visit
from tests.watched import run, run_here

BOX = "pattern=WFC3-IR-DITHER-BOX-MIN"
LINE = "pattern=WFC3-IR-DITHER-LINE"
CAREFUL = Options(defaults=DitherRequest(method=Method.CATALOG))
BOLD = Options(
    defaults=DitherRequest(method=Method.CATALOG),
    sets=SetOptions(replace=True, replace_patterns=True, split_iterations=True, all_visits=True),
)
GROUP = ' Type="Pattern" Pattern="1"'


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail what takes longer: many times what it takes, on a machine that is busy."""

    def late(*_: object) -> None:
        pytest.fail(f"still running after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refused(source: bytes, options: Options = CAREFUL, seconds: int = 20) -> str:
    """Take the whole road; return what the refusal says."""
    with within(seconds), pytest.raises(AptDitherError) as caught:
        applied(source, options)
    lines = caught.value.lines()
    assert all(0 < len(line) < MAX_MESSAGE + 500 for line in lines)
    return "\n".join(lines)


def applied(source: bytes, options: Options = CAREFUL) -> bytes:
    read = parse_proposal(source, "in.apt")
    return rewrite_proposal(read, make_plan(read, options).changes)


# XML that attacks its reader ----------------------------------------------------------------------

LAUGHS = "".join(
    f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' if i else '<!ENTITY l0 "lol">' for i in range(10)
)
QUADRATIC = f'<!ENTITY a "{"a" * 50_000}">'

DOCTYPES = [
    pytest.param("<!DOCTYPE HSTProposal>", "", id="bare"),
    pytest.param(f"<!DOCTYPE x [{LAUGHS}]>", "&l9;", id="billion laughs"),
    pytest.param(f"<!DOCTYPE x [{QUADRATIC}]>", "&a;" * 50_000, id="quadratic blowup"),
    pytest.param('<!DOCTYPE x [<!ENTITY e SYSTEM "{}">]>', "&e;", id="external entity"),
    pytest.param('<!DOCTYPE x SYSTEM "{}">', "", id="external subset"),
    pytest.param('<!DOCTYPE x PUBLIC "-//X//EN" "{}">', "", id="public subset"),
    pytest.param('<!DOCTYPE x [<!ENTITY % p SYSTEM "{}"> %p;]>', "", id="parameter entity"),
    pytest.param('<!DOCTYPE x [<!ATTLIST Exposure Number CDATA "7">]>', "", id="default attribute"),
    pytest.param("<!-- first -->\n<!DOCTYPE x>", "", id="after a comment"),
]


@pytest.mark.parametrize(("doctype", "text"), DOCTYPES)
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1"])
def test_a_doctype_is_refused_whatever_it_holds(doctype: str, text: str, encoding: str) -> None:
    source = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n'
        f"{doctype.replace('{}', 'file:///etc/hostname')}\n<HSTProposal>{text}</HSTProposal>"
    ).encode(encoding)
    said = refused(source)
    assert "it has a DOCTYPE" in said
    assert "in.apt, line " in said


NAMED = [
    *(param for param in DOCTYPES if "{}" in str(param.values[0])),
    pytest.param('<?xml-stylesheet type="text/xsl" href="{}"?>', "", id="stylesheet"),
    pytest.param(
        "",
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{}" parse="text"/>',
        id="XInclude",
    ),
    pytest.param(
        "",
        '<a xmlns:s="http://www.w3.org/2001/XMLSchema-instance" s:schemaLocation="x {}"/>',
        id="XSD",
    ),
]


def test_nothing_that_a_file_names_is_opened(tmp_path: Path) -> None:
    """A FIFO without a writer hangs whoever opens it; a second look is at every opened name."""
    paths, codes = [], []
    for number, param in enumerate(NAMED):
        head, text = map(str, param.values)
        bait = tmp_path / f"bait-{number}"
        os.mkfifo(bait)
        path = tmp_path / f"{number}.apt"
        path.write_text(
            f'<?xml version="1.0"?>\n{head}<HSTProposal>{text}<Visits>'
            f"{visit(exposure(1, comments=f'@dither n=4 {BOX}'))}</Visits></HSTProposal>".replace(
                "{}", bait.as_uri()
            )
        )
        paths.append(str(path))
        codes.append(3 if "DOCTYPE" in head else 0)
    script = (
        "import sys\n"
        "sys.addaudithook(lambda event, args: event in ('open', 'os.open', 'socket.connect') "
        "and print('OPENED', args[0], file=sys.stderr))\n"
        "from aptdither.cli import run\n"
        "for path in sys.argv[1:]:\n"
        "    sys.argv = ['aptdither', 'apply', path, '--dry-run']\n"
        "    try:\n"
        "        run()\n"
        "    except SystemExit as ended:\n"
        "        print('ENDED', ended.code or 0)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, *paths],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert [int(line.split()[1]) for line in lines if line.startswith("ENDED ")] == codes
    opened = [line for line in ended.stderr.splitlines() if line.startswith("OPENED ")]
    assert set(paths) <= {line.removeprefix("OPENED ") for line in opened}
    assert not any("bait" in line for line in opened)


@pytest.mark.skipif(not Path("/usr/bin/strace").exists(), reason="strace is not here")
def test_no_system_call_names_what_a_file_names(tmp_path: Path) -> None:
    """The audit hook sees Python alone; libxml2's own calls are seen by strace."""
    path, log = tmp_path / "in.apt", tmp_path / "strace.log"
    path.write_text(
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///bait-one"> %p; <!ENTITY e SYSTEM "bait-two">]>'
        '<?xml-stylesheet href="bait-three"?>'
        '<HSTProposal><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="bait-four"/>'
        "&e;</HSTProposal>"
    )
    strace = ("strace", "-f", "-qq", "-e", "trace=%file,%network", "-o", str(log))
    ended = run("apply", path, before=strace, folder=tmp_path)
    if not log.exists() or "in.apt" not in log.read_text():
        pytest.skip("strace may not trace here")
    assert ended.code == 3
    assert "bait" not in log.read_text()
    assert "connect" not in log.read_text()


SHAPES = [
    pytest.param(b"", "the file is empty", id="empty"),
    pytest.param(b" \r\n\t\n", "the file is empty", id="blank"),
    pytest.param(b"\0" * 1000, "the file is empty", id="zeros"),
    pytest.param(b"%PDF-1.4 nothing", "not well-formed", id="not XML"),
    pytest.param(b"\x89PNG\r\n\x1a\n\0\0", "a NUL byte", id="picture"),
    pytest.param(six()[:-200], "is the file complete", id="truncated"),
    pytest.param(six()[:700], "is the file complete", id="truncated in a tag"),
    pytest.param(six().replace(b"Visits", b"Vis\0its", 1), "a NUL byte", id="NUL"),
    pytest.param(six() + b"<more/>", "not well-formed", id="two roots"),
    pytest.param(b"<a>" * 100_000, "nested more than", id="nesting never closed"),
    pytest.param(
        b"<HSTProposal>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</HSTProposal>",
        "nested more than",
        id="nesting",
    ),
    pytest.param(
        proposal(visit("<ExposureGroup>" * 50_000 + "</ExposureGroup>" * 50_000)),
        "nested more than",
        id="groups",
    ),
    pytest.param(b"<HSTProposal a='1' a='2'/>", "not well-formed", id="attribute twice"),
    pytest.param(b"<HSTProposal>&x;</HSTProposal>", "not well-formed", id="unknown entity"),
    pytest.param(b"<HSTProposal>&#0;&#x1b;</HSTProposal>", "not well-formed", id="control"),
    pytest.param(b"<HSTProposal>\x1b[2J</HSTProposal>", "not well-formed", id="raw control"),
    pytest.param(b"<p:HSTProposal xmlns:p='x'/>", "not an HST proposal", id="prefix"),
    pytest.param(b"<HSTProposal xmlns='x'/>", "not an HST proposal", id="namespace"),
    pytest.param(b"<html><body/></html>", "not an HST proposal: its root is 'html'", id="HTML"),
    pytest.param(b"<" + b"a" * 60_000 + b"/>", "", id="long name"),
    pytest.param(
        b"<JwstProposal xmlns='http://www.stsci.edu/JWST/APT'/>", "a JWST proposal", id="JWST"
    ),
]


@pytest.mark.parametrize(("source", "words"), SHAPES)
def test_what_is_no_proposal_is_refused(source: bytes, words: str) -> None:
    said = refused(source)
    assert said.startswith("in.apt")
    assert words in said


ENCODINGS = [
    pytest.param(b'<?xml version="1.0" encoding="UTF-7"?><a/>', "'UTF-7'; allowed", id="UTF-7"),
    pytest.param(b'<?xml version="1.0" encoding="x-none"?><a/>', "allowed", id="unknown"),
    pytest.param(b'<?xml version="1.0" encoding="UTF-16"?><a/>', "not UTF-16", id="not UTF-16"),
    pytest.param(
        '<?xml version="1.0" encoding="UTF-8"?><a/>'.encode("utf-16"),
        "its bytes are UTF-16, but it declares the encoding UTF-8",
        id="is UTF-16",
    ),
    pytest.param("<a/>".encode("utf-32"), "UTF-32", id="UTF-32"),
    pytest.param(six().decode().encode("cp500"), "", id="EBCDIC"),
    pytest.param(
        codecs.BOM_UTF8 + b'<?xml version="1.0" encoding="ISO-8859-1"?><a/>',
        "byte order mark",
        id="mark",
    ),
    pytest.param(six("\xe9").decode().encode("latin-1"), "not well-formed", id="Latin as UTF-8"),
    pytest.param(
        '<?xml version="1.0" encoding="US-ASCII"?><a>é</a>'.encode(), "is not ASCII", id="ASCII"
    ),
    pytest.param(
        b'<?xml version="1.0" encoding="windows-1252"?><a>\x81</a>', "not well-formed", id="1252"
    ),
    pytest.param(six().decode().encode("utf-16")[:-1], "complete", id="half a character"),
    pytest.param(
        codecs.BOM_UTF16_LE + "<a>\ud800</a>".encode("utf-16-le", "surrogatepass"),
        "UTF-16",
        id="half a pair",
    ),
    pytest.param(b"<HSTProposal>\xed\xa0\x80</HSTProposal>", "not well-formed", id="surrogate"),
    pytest.param(b"<HSTProposal>\xc0\xbc</HSTProposal>", "not well-formed", id="overlong"),
]


@pytest.mark.parametrize(("source", "words"), ENCODINGS)
def test_an_encoding_that_lies_is_refused(source: bytes, words: str) -> None:
    assert words in refused(source)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1234.xml", b"<JwstProposal/>" + b" " * 10_000_000)
    return file.getvalue()


def test_an_aptx_is_refused_unopened() -> None:
    assert "zip file, as APT writes for JWST" in refused(_zip())


# Much of everything -------------------------------------------------------------------------------

MUCH = [
    pytest.param(
        lambda: b"<HSTProposal a='" + b"x" * (limits.MAX_STRETCH + 1) + b"'/>",
        "more than 9000000 bytes",
        id="attribute",
    ),
    pytest.param(
        lambda: b"<HSTProposal>" + b"x" * (limits.MAX_STRETCH + 1) + b"</HSTProposal>",
        "more than 9000000 bytes",
        id="text",
    ),
    pytest.param(
        lambda: b"<HSTProposal>" + b"<a/>" * 2_000_001 + b"</HSTProposal>", "'<'", id="elements"
    ),
    pytest.param(
        lambda: b"<HSTProposal>" + b"<a b='' c='' d=''/>" * 1_000_001 + b"</HSTProposal>",
        "'='",
        id="attributes",
    ),
    pytest.param(
        lambda: proposal(visit("<Exposure/>" * (limits.MAX_PLACED + 1))),
        "more than 200000 visits, groups, exposures and patterns",
        id="exposures",
    ),
    pytest.param(
        lambda: proposal("<Visit/>" * (limits.MAX_VISITS + 1)),
        "10001 visits; at most 10000",
        id="visits",
    ),
    pytest.param(
        lambda: proposal(visit(exposure(1, comments=f"@dither {LINE}\n" + "x\n" * 1_000_000))),
        "the Comments hold 2000",
        id="lines of Comments",
    ),
    pytest.param(
        lambda: proposal(
            visit(exposure(1, comments=f"@dither n=2 {LINE}\n" + "<!-- -->x\n" * 50_000))
        ),
        "its Comments take",
        id="markup of Comments",
    ),
    pytest.param(
        lambda: proposal(
            visit(exposure(1, comments="".join(f"@dither n={i % 999 + 1}\n" for i in range(4_000))))
        ),
        "two tags for one set",
        id="tags of an exposure",
    ),
    pytest.param(
        lambda: proposal(
            visit(*(exposure(i, comments=f"@dither n=2 {LINE}") for i in range(1, 8_000)))
        ),
        "the visit has 7999 exposures; at most 2000",
        id="tags of a visit",
    ),
    pytest.param(
        lambda: proposal(visit(exposure(1, comments="@dither n=" + "9" * 1_000_000))),
        "the Comments hold",
        id="digits",
    ),
    pytest.param(
        lambda: proposal(visit(exposure(1, comments="@dither pattern=" + "x" * 190_000))),
        "at most 100 of them",
        id="a name",
    ),
    pytest.param(
        lambda: proposal(
            visit(
                exposure(1, comments="@dither n=8 pattern=go-13417").replace(
                    "<Comments>", f"<Junk>{'x' * 8_000_000}</Junk>" * 2 + "<Comments>"
                )
            )
        ),
        "more than 100000000 bytes",
        id="copies of much",
    ),
    pytest.param(
        lambda: proposal(
            visit(
                *(exposure(i, comments="@dither n=0") for i in range(1, 1500)), number="v" * 10**6
            )
        ),
        "visit vvv",
        id="a long number in many errors",
    ),
]


@pytest.mark.parametrize(("make", "words"), MUCH)
def test_too_much_is_refused_in_bounded_time(make: Callable[[], bytes], words: str) -> None:
    assert words in refused(make(), seconds=60)


def test_iterations_of_patterns_of_patterns_are_counted_not_made() -> None:
    inner = exposure(1, comments=f"@dither {BOX}", iterations=2).replace('ns="2"', 'ns="1000"')
    nested = group(group(group(inner, attributes=GROUP), attributes=GROUP), attributes=GROUP)
    source = proposal(visit(nested), patterns=box_pattern(points=1000))
    assert "1000000000000 exposures of IR F160W" in refused(source, BOLD)


def test_a_long_chain_of_same_pos_as_is_followed() -> None:
    chained = [
        exposure(i, same=str(i - 1) if i > 1 else None, comments="@dither id=a" if i > 1200 else "")
        for i in range(1, 1204)
    ]
    with within(60):
        new = parse_proposal(applied(proposal(visit(*chained))))
    assert sum(e.pos_targ is not None for e in new.visits[0].exposures) == 3


def test_hundreds_of_tags_are_no_trouble() -> None:
    tagged = [exposure(i, comments=f"@dither n=2 {LINE}") for i in range(1, 301)]
    with within(60):
        new = parse_proposal(applied(proposal(visit(*tagged))))
    assert len(new.visits[0].exposures) == 600


def test_a_second_run_can_read_what_the_first_wrote() -> None:
    """More exposures than a visit may have are refused before they are written."""
    tagged = [exposure(i, comments="@dither n=8 pattern=go-13417") for i in range(1, 300)]
    assert "the visit would have 2392 exposures; at most 2000" in refused(proposal(visit(*tagged)))


# Values that are none -----------------------------------------------------------------------------

_ENGLISH = ("NaN", "nan", "inf", "-Infinity", "1e999", "0x10", "1,5", "0.5arcsec", "", " ", "1_0")
NO_NUMBERS = (*_ENGLISH, "--1", "+", ".", "1e", "½", "٣", "１", "1 2", "[red]", "9" * 400 + "e")


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_pos_targ_that_is_no_number_is_named(value: str, axis: int) -> None:
    pair = ("0.5", value) if axis else (value, "0.5")
    said = refused(proposal(visit(exposure(1, comments=f"@dither n=2 {LINE}", postarg=pair))))
    assert "visit 01, exposure 1, line " in said
    assert f"PosTarg {'XY'[axis]} is {value!r}; allowed: a decimal number of arcsec" in said


@pytest.mark.parametrize("value", [*NO_NUMBERS, "0", "-1", "1.5", "1001", "9" * 5000])
def test_iterations_that_are_no_number_are_named(value: str) -> None:
    source = proposal(visit(exposure(1, comments=f"@dither n=2 {LINE}")))
    source = source.replace(b'Iterations="1"', f'Iterations="{value}"'.encode())
    assert f"NumberOfIterations is {value!r}"[:1000] in refused(source)


@pytest.mark.parametrize("value", [*(v for v in NO_NUMBERS if v.strip()), "0", "-1", "1.5", "1001"])
def test_an_apt_pattern_without_a_number_of_points_is_named(value: str) -> None:
    source = proposal(
        visit(group(exposure(1, comments=f"@dither {BOX}"), attributes=GROUP)),
        patterns=box_pattern().replace("Points>4<", f"Points>{value}<"),
    )
    assert "names APT pattern 1, whose number of points cannot be read" in refused(source, BOLD)


@pytest.mark.parametrize("key", ["n", "size", "spacing"])
@pytest.mark.parametrize("value", [*(v for v in NO_NUMBERS if " " not in v), "0", "-1", "1e309"])
def test_a_tag_with_no_number_is_named(key: str, value: str) -> None:
    unit = "" if key == "n" else "pix"
    said = refused(proposal(visit(exposure(1, comments=f"@dither {key}={value}{unit}"))))
    assert "visit 01, exposure 1, line " in said
    assert "allowed: " in said


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_cannot_be_read_and_is_not_tagged_comes_back(value: str) -> None:
    source = proposal(
        visit(exposure(1, postarg=(value, value)).replace('ns="1"', f'ns="{value}"')),
        patterns=box_pattern().replace("0.572", value),
    )
    assert applied(source) == source


REFERENCES = [
    pytest.param(
        [exposure(1), exposure(1, comments=f"@dither n=2 {LINE}")],
        "exposure number '1' occurs more than once",
        id="number twice",
    ),
    pytest.param([exposure("", comments=f"@dither n=2 {LINE}")], "Number is ''", id="no number"),
    pytest.param(
        [exposure(1, comments=f"@dither n=2 {LINE}", same="9")], "a number that no", id="dangling"
    ),
    pytest.param(
        [exposure(1, comments=f"@dither n=2 {LINE}", same="1")],
        "forms a circle (1 -> 1)",
        id="itself",
    ),
    pytest.param(
        [
            exposure(1, comments=f"@dither n=2 {LINE}", same="2"),
            exposure(2, same="3"),
            exposure(3, same="1"),
        ],
        "forms a circle (1 -> 2 -> 3 -> 1)",
        id="circle",
    ),
    pytest.param(
        [exposure(1, comments=f"@dither n=2 {LINE}"), exposure(2, same="7")],
        "a number that",
        id="dangling elsewhere",
    ),
    pytest.param(
        [exposure(1, comments="@dither n=2 pattern=no-such")],
        "there is no pattern 'no-such'",
        id="pattern",
    ),
    pytest.param([exposure(1, comments="@dither n=2", aperture="IR-NO")], "IR-NO", id="aperture"),
    pytest.param([exposure(1, comments="@dither n=2", element="F1")], "F1", id="element"),
    pytest.param(
        [group(exposure(1, comments=f"@dither {BOX}"), attributes=' Pattern="77"')],
        "names APT pattern 77, whose number of points cannot be read",
        id="APT pattern",
    ),
]


@pytest.mark.parametrize(("exposures", "words"), REFERENCES)
def test_a_reference_that_leads_nowhere_is_named(exposures: list[str], words: str) -> None:
    said = refused(proposal(visit(*exposures)), BOLD)
    assert "visit 01, " in said
    assert words in said


def test_a_visit_number_given_twice_is_named() -> None:
    tagged = visit(exposure(1, comments=f"@dither n=2 {LINE}"))
    assert "two visits are numbered 01" in refused(proposal(tagged, tagged))


# Not what a file is -------------------------------------------------------------------------------


def _sparse(folder: Path) -> Path:
    path = folder / "giant.apt"
    with path.open("wb") as file:
        file.write(six())
        file.truncate(5 << 30)
    return path


def _fifo(folder: Path) -> Path:
    path = folder / "fifo.apt"
    os.mkfifo(path)
    return path


def _directory(folder: Path) -> Path:
    path = folder / "dir.apt"
    path.mkdir()
    return path


def _full_of_blanks(folder: Path) -> Path:
    path = folder / "blanks.apt"
    path.write_bytes(b"<HSTProposal>" + b" \n" * 4_000_000 + b"<" * 10)
    return path


def _zero(_: Path) -> Path:
    return Path("/dev/zero")


def _loop(folder: Path) -> Path:
    path = folder / "loop.apt"
    path.symlink_to(path)
    return path


#: Read as a process with bounds, since whoever reads them to their end fills the memory.
ENDLESS = (_sparse, _full_of_blanks, _zero)

ODD_FILES: list[tuple[Callable[[Path], Path], str]] = [
    (_sparse, "large"),
    (_fifo, "pipe"),
    (_directory, "directory"),
    (_full_of_blanks, "not well-formed"),
    (_loop, "cannot be read"),
    (_zero, "device"),
    (lambda _: Path("/dev/stdin"), ""),
    (lambda _: Path("/proc/self/mem"), ""),
    (lambda folder: folder / "none.apt", "no such file"),
]


@pytest.mark.parametrize(("make", "words"), ODD_FILES, ids=map(str, range(len(ODD_FILES))))
@pytest.mark.parametrize("command", ["apply", "evaluate --proposal"])
def test_what_is_no_file_to_read_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], words: str, command: str
) -> None:
    path = make(tmp_path)
    if command == "apply" and make in ENDLESS:
        ended = run("apply", path, memory=2 << 30)
    else:
        with within(60):
            ended = run_here(*command.split(), str(path))
    assert (ended.code, ended.stdout) == (3, b"")
    assert ended.said.startswith(f"aptdither: {path}")
    assert words in ended.said
    assert len(ended.said.splitlines()) == 1


# Files beside the proposal ------------------------------------------------------------------------

ECSV = (
    "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: pattern, datatype: string}\n"
    "# - {name: x, unit: arcsec, datatype: float64}\n# - {name: y, unit: arcsec, datatype: float64}\n"
)
ROWS = "pattern x y\na 0 0\na 1 1\n"
MERGES = "# meta: !!omap\n# - a0: &a0 {k0: 1}\n" + "".join(
    f"# - a{i}: &a{i} {{<<: [*a{i - 1}, *a{i - 1}], k{i}: 1}}\n" for i in range(1, 40)
)
LISTS = "# meta: !!omap\n# - a0: &a0 [x]\n" + "".join(
    f"# - a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 20)
)

CATALOGS = [
    pytest.param(ECSV + MERGES + ROWS, "YAML alias", id="merges that double"),
    pytest.param(ECSV + LISTS + ROWS, "YAML alias", id="lists of lists"),
    pytest.param(ECSV + "# meta: " + "[" * 40_000 + "\n" + ROWS, "not readable as ECSV", id="deep"),
    pytest.param(
        ECSV + "# meta: {k: " + "x" * MAX_HEADER + "}\n" + ROWS, "characters of header", id="header"
    ),
    pytest.param(
        ECSV + "pattern x y\n" + "a 0 0\n" * (MAX_LINES + 1), "lines; at most", id="lines"
    ),
    pytest.param(
        ECSV + "pattern x y\n" + "".join(f"p{i} 0 0\n" for i in range(600)),
        "600 patterns; at most 500",
        id="patterns",
    ),
    pytest.param(
        ECSV + '# meta: !!python/object/apply:os.system ["echo"]\n' + ROWS,
        "not readable as ECSV",
        id="Python object",
    ),
    pytest.param(ECSV + "pattern x y\na nan 0\na 1e999 0\n", "no finite number", id="no numbers"),
    pytest.param(ECSV + "pattern x y\na 1e300 0\n", "of at most 1000000", id="large number"),
    pytest.param(ECSV + ROWS.replace("a ", "é "), "cannot be called", id="name"),
    pytest.param(ECSV + ROWS.replace("a ", "a" * 101 + " "), "at most 100", id="long name"),
    pytest.param("\0" + ECSV + ROWS, "not ECSV", id="NUL"),
    pytest.param("", "not ECSV", id="empty"),
]


@pytest.mark.parametrize(("text", "words"), CATALOGS)
def test_a_hostile_catalogue_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "own.ecsv"
    path.write_text(text, encoding="utf-8")
    with within(30), pytest.raises(AptDitherError) as caught:
        load_catalog(path)
    assert words in str(caught.value)
    assert all(line.startswith(str(path)) for line in caught.value.lines())


@pytest.mark.parametrize("text", [ECSV + MERGES + ROWS, ECSV + LISTS + ROWS, "", "\0", "[" * 9999])
def test_hostile_measurements_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.ecsv"
    path.write_text(text)
    with within(30), pytest.raises(OpticsError) as caught:
        read_measurements(path, at=(500.0, 500.0))
    assert "own.ecsv" in str(caught.value)


def _idctab(folder: Path, **texts: str) -> Path:
    from astropy.io import fits

    columns = [
        fits.Column(name, f"{len(text)}A", array=[text])
        for name, text in {"DIRECTION": "FORWARD", "DETCHIP": "1", **texts}.items()
    ]
    columns += [
        fits.Column(name, "D", array=[value])
        for name, value in {"XREF": 507.0, "YREF": 507.0, "CX10": 0.0, "CX11": 0.135,
                            "CY10": 0.121, "CY11": 0.0}.items()
    ]  # fmt: skip
    path = folder / "own_idc.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(path)
    return path


def _changed(folder: Path, old: bytes, new: bytes) -> Path:
    path = _idctab(folder)
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new.ljust(len(old))[: len(old)]))
    return path


def _packed(folder: Path) -> Path:
    """Four hundred megabytes of nothing in half of one."""
    path = folder / "own_idc.fits"
    head = b"".join(
        card.ljust(80)
        for card in (
            *(b"SIMPLE  =                    T", b"BITPIX  =                    8"),
            *(b"NAXIS   =                    1", b"NAXIS1  =            400000000", b"END"),
        )
    )
    with gzip.open(path, "wb", 9) as file:
        file.write(head.ljust(2880))
        for _ in range(40):
            file.write(b"\0" * 10_000_000)
        file.write(_idctab(folder.joinpath("in")).read_bytes()[2880:])
    return path


FIELD_COUNT = b"TFIELDS =                    8"
ROW_COUNT = b"NAXIS2  =                    1"
IDCTABS: list[tuple[Callable[[Path], Path], str]] = [
    (
        lambda f: _changed(f, ROW_COUNT, b"NAXIS2  =            999999999"),
        "its table claims 55999999944 bytes",
    ),
    (lambda f: _changed(f, ROW_COUNT, b"NAXIS2  =         999999999999"), ""),
    (lambda f: _changed(f, ROW_COUNT, b"NAXIS2  =                   -1"), ""),
    (lambda f: _changed(f, b"TFORM3  = 'D ", b"TFORM3  = '9D"), ""),
    (lambda f: _changed(f, FIELD_COUNT, b"TFIELDS =           1000000000"), "1000000000 columns"),
    (lambda f: _idctab(f, DIRECTION="INVERSE"), "no FORWARD row"),
    (_packed, "does not begin with SIMPLE"),
    (lambda _: Path("/dev/zero"), "no regular file"),
]


@pytest.mark.parametrize(("make", "words"), IDCTABS, ids=map(str, range(len(IDCTABS))))
def test_a_hostile_distortion_file_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    tmp_path.joinpath("in").mkdir()
    path = make(tmp_path)
    with within(30), pytest.raises(OpticsError) as caught:
        get_aperture("IR", "F160W", distortion_file=path)
    assert words in str(caught.value)


def test_a_chip_number_of_thousands_of_digits_is_none(tmp_path: Path) -> None:
    """Python reads at most 4300 digits; such a chip is no number, and its row is for every chip."""
    path = _idctab(tmp_path, DETCHIP="9" * 6000)
    assert np.isfinite(get_aperture("IR", "F160W", distortion_file=path).reference_pix).all()


# What is said -------------------------------------------------------------------------------------


def test_a_message_is_never_longer_than_a_screen() -> None:
    target = "T" * 1_000_000
    said = refused(
        proposal(
            visit(
                group(
                    exposure(1, comments=f"@dither {LINE}", target=target),
                    exposure(2, target=target + "2"),
                )
            )
        )
    )
    assert "several targets" in said
    assert len(said) < MAX_MESSAGE + 200


def test_of_thousands_of_errors_some_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(
        proposal(visit(*(exposure(i, comments="@dither n=0") for i in range(1, 1501))))
    )
    ended = run("apply", path)
    lines = ended.said.splitlines()
    assert (ended.code, ended.stdout) == (3, b"")
    assert len(lines) == 202
    assert lines[-2] == "aptdither: and 1300 more errors"


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "in.apt"
    path.write_bytes(proposal(visit(*(exposure(i) for i in range(1, 5_000)))))
    ended = run("evaluate", "--proposal", path)
    assert (ended.code, ended.stdout) == (0, b"")
    assert all(len(line) <= 8_000 for line in ended.said.splitlines())


def test_leading_zeros_of_a_character_reference_are_read() -> None:
    """A parser reads any number of them; Python's int stops at 4300 digits."""
    zeros = "0" * 5000
    source = proposal(visit(exposure(1, comments=f"@dither n=2 {LINE}\n&#{zeros}65;&#x{zeros}42;")))
    new = parse_proposal(applied(source)).visits[0].exposures
    assert [e.comments.splitlines()[-1] for e in new] == ["AB", "AB"]
    assert [len(parse_comments(e.comments).receipts) for e in new] == [1, 1]


def test_text_among_the_elements_of_an_exposure_stays() -> None:
    source = proposal(visit(exposure(1, comments=f"@dither n=2 {LINE}"), exposure(2)))
    for text in ("&amp;", "&#xD;", "x ", " x"):
        changed = source.replace(b"<Comments />\n<SubE", f"{text}\n<SubE".encode())
        changed = changed.replace(b"</Comments>\n<SubE", f"</Comments>{text}\n<SubE".encode())
        new = applied(changed)
        assert new.count(text.encode()) == changed.count(text.encode()) + 1
        assert applied(new) == new
