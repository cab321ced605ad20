"""Terminals and machines: text from a file does nothing, JSON is JSON, exit code and words agree.

Every command runs on a proposal whose every text is hostile: control characters that XML allows,
marks that turn the reading direction, markup of rich and of HTML. A new command belongs into the
table; a test sees to that. The commands run in this process; that a process of its own prints the
same bytes is one test.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import pytest
from typer.main import get_command

from aptdither.cli import app
from tests.made import exposure, group, proposal, visit
from tests.watched import Run, run, run_here

SCHEMAS = Path(__file__).parents[1] / "schemas"

BOX = "pattern=WFC3-IR-DITHER-BOX-MIN"
#: What XML lets through and a terminal, rich, a page or a spreadsheet might act on.
EVIL = "\x9b31m\x85\u202e\u2066\u200b\ufeff\U000e0041[red]a[/bold][link=x]{0}%s=1+1\\033"
HTML = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=y&gt;&amp;lt;"
#: And what only names of files and words of a command line can hold.
NAME = "in\x1b[31m\x07[red]\udcff\n.apt"


def text(kind: str) -> str:
    return f"{kind}{EVIL}{HTML}"


def evil_exposure(number: str, **more: Any) -> str:
    made = exposure(number, target=text("T"), **more)
    return made.replace("<Exposure ", f'<Exposure Label="{text("L")}" ')


GOOD = proposal(
    visit(
        group(
            *(
                evil_exposure(
                    f"{i}{text('E')}",
                    comments=f"{text('C')}\n@dither {BOX}\nsee @dither {EVIL}" if i == 1 else "",
                )
                for i in range(1, 5)
            ),
        ),
        evil_exposure("9", postarg=("NaN", EVIL.replace('"', ""))),
        evil_exposure("10", same=text("S")),
        number=text("V"),
        comments=f"{text('C')} @dither {EVIL}",
        status=text("implementation"),
    ),
    patterns=f"<Pattern><Number>{text('P')}</Number><PointSpacing>{EVIL}</PointSpacing></Pattern>",
)

#: Proposals that are refused with words of their own in the message.
BAD = {
    "tag": proposal(visit(evil_exposure("1", comments=f"@dither n={EVIL} {EVIL}={EVIL} {EVIL}"))),
    "typo": proposal(visit(evil_exposure("1", comments=f"@dithr{EVIL}"))),
    "receipt": proposal(visit(evil_exposure("1", comments=f"@dither {BOX}\n@dithered {EVIL}"))),
    "numbers": proposal(visit(evil_exposure("1", comments=f"@dither {BOX}", postarg=(EVIL, EVIL)))),
    "aperture": proposal(visit(evil_exposure("1", comments=f"@dither {BOX}", aperture=text("A")))),
    "element": proposal(visit(evil_exposure("1", comments=f"@dither {BOX}", element=text("A")))),
    "config": proposal(visit(evil_exposure("1", comments=f"@dither {BOX}", config=text("X")))),
    "same": proposal(visit(evil_exposure("1", comments=f"@dither {BOX}", same=text("S")))),
    "targets": proposal(
        visit(group(evil_exposure("1", comments="@dither"), exposure(2, target=text("U"))))
    ),
    "twice": proposal(
        visit(evil_exposure(text("N"), comments=f"@dither {BOX}"), evil_exposure(text("N")))
    ),
    "visits": proposal(
        *[visit(evil_exposure("1", comments=f"@dither {BOX}"), number=text("V"))] * 2
    ),
    "group": proposal(
        visit(
            group(
                evil_exposure("1", comments=f"@dither {BOX}"),
                attributes=f' Type="parallel{EVIL}" Pattern="{EVIL}"',
            )
        )
    ),
    "encoding": f'<?xml version="1.0" encoding="\x1b[31m{EVIL}"?><a/>'.encode(),
    "root": f"<HST\u0300é{'x' * 3000}/>".encode(),
    "broken": GOOD[:-40],
    "bare escape": b"<HSTProposal>\x1b[2J</HSTProposal>",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with hostile files under hostile names."""
    made = tmp_path_factory.mktemp("evil")
    made.joinpath("good.apt").write_bytes(GOOD)
    Path(made, NAME).write_bytes(GOOD)
    for name, source in BAD.items():
        made.joinpath(f"bad {name}.apt").write_bytes(source)
    made.joinpath("own.ecsv").write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: pattern, datatype: string}\n"
        "# - {name: x, unit: arcsec, datatype: float64}\n"
        "# - {name: y, unit: arcsec, datatype: float64}\n"
        "# - {name: source, datatype: string}\n"
        f'pattern x y source\nown 0 0 "{EVIL}"\nown 1 1 "{EVIL}"\n',
        encoding="utf-8",
    )
    made.joinpath("bad.ecsv").write_text(f"# %ECSV 1.0\n# ---\n{EVIL}\n", encoding="utf-8")
    rows = "".join(
        f'"d{EVIL}" {x} {y} {500 + x / 0.135} {500 + y / 0.121}\n'
        for x, y in ((0, 0), (1, 0.5), (0.5, 1), (2, 2))
    )
    made.joinpath("seen.ecsv").write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: dataset, datatype: string}\n"
        "# - {name: postarg_x, unit: arcsec, datatype: float64}\n"
        "# - {name: postarg_y, unit: arcsec, datatype: float64}\n"
        "# - {name: x_pix, unit: pix, datatype: float64}\n"
        "# - {name: y_pix, unit: pix, datatype: float64}\n"
        f"dataset postarg_x postarg_y x_pix y_pix\n{rows}",
        encoding="utf-8",
    )
    return made


#: Commands that end well (exit 0, or 1 for what is found), and what they print.
FINE: list[tuple[str, list[str]]] = [
    ("text", ["apply", "good.apt", "--dry-run"]),
    ("text", ["apply", NAME, "--dry-run"]),
    ("text", ["apply", NAME, "--check"]),
    ("text", ["apply", NAME, "-o", f"out{NAME}", "--force"]),
    ("json", ["apply", NAME, "--dry-run", "--format", "json"]),
    ("diff", ["apply", "good.apt", "--dry-run", "--diff"]),
    ("diff", ["apply", NAME, "--dry-run", "--diff"]),
    ("text", ["strip", "good.apt", NAME, "--tags", "--dry-run"]),
    ("json", ["strip", NAME, "--tags", "--dry-run", "--format", "json"]),
    ("text", ["check", "good.apt", NAME]),
    ("json", ["check", "good.apt", NAME, "--format", "json", "--statistics"]),
    ("jsonl", ["check", "good.apt", NAME, "--format", "jsonl"]),
    ("json", ["check", "good.apt", NAME, "--format", "sarif"]),
    ("text", ["check", "--explain", "ADT102"]),
    ("text", ["evaluate", "--proposal", NAME]),
    ("json", ["evaluate", "--proposal", NAME, "--format", "json"]),
    ("json", ["evaluate", "--postargs", "0,0 0,0", "--format", "json"]),
    ("text", ["patterns", "--catalog", "own.ecsv"]),
    ("json", ["patterns", "--catalog", "own.ecsv", "--format", "json"]),
    ("text", ["patterns", "own", "--catalog", "own.ecsv"]),
    ("json", ["patterns", "own", "--catalog", "own.ecsv", "--format", "json"]),
    ("json", ["optimize", "-n", "2", "--size", "point", "--format", "json"]),
    (
        "text",
        [
            "optimize",
            "-n",
            "2",
            "--size",
            "point",
            "-o",
            "new[red].ecsv",
            "--name",
            "new",
            "--force",
        ],
    ),
    ("json", ["convert", "--pixels", "1,1 -0.0,0", "--format", "json"]),
    ("text", ["convert", "--pixels", "1,1"]),
    ("text", ["fit", "seen.ecsv"]),
    ("json", ["fit", "seen.ecsv", "--format", "json"]),
    ("text", ["report", NAME, "-o", "page.html", "--force"]),
    ("text", ["plot", "layout", "-o", "a[red].svg", "--proposal", NAME, "--force"]),
    *(
        ("text", ["export", "--proposal", NAME, "--format", fmt])
        for fmt in ("ecsv", "markdown", "latex", "ds9-detector")
    ),
]

#: Commands that are refused: 2 for what was asked, 3 for what was given.
WORD = "\x1b[31m[red]\udcff"
REFUSED: list[tuple[int, list[str]]] = [
    *((3, ["apply", f"bad {name}.apt"]) for name in BAD),
    *((3, ["check", f"bad {name}.apt"]) for name in ("encoding", "root", "broken", "bare escape")),
    (3, ["evaluate", "--proposal", "bad broken.apt"]),
    (3, ["report", "bad broken.apt", "-o", "no.html"]),
    (3, ["export", "--proposal", "bad broken.apt"]),
    (3, ["apply", WORD]),
    (3, ["check", WORD]),
    (3, ["patterns", "--catalog", "bad.ecsv"]),
    (3, ["patterns", "--catalog", WORD]),
    (2, ["patterns", WORD]),
    (2, ["evaluate", "--pattern", WORD]),
    (2, ["evaluate", "--postargs", WORD]),
    (2, ["evaluate", "--proposal", NAME, "--visit", WORD]),
    (2, ["evaluate", "--pattern", "tight-4", "--size", WORD]),
    (2, ["evaluate", "--pattern", "tight-4", "--aperture", WORD]),
    (2, ["evaluate", "--pattern", "tight-4", "--element", WORD]),
    (2, ["apply", NAME, "--spacing", WORD]),
    (2, ["apply", NAME, "--pattern", WORD]),
    (2, ["apply", NAME, "--format", WORD]),
    (2, ["apply", NAME, WORD, "-o", WORD]),
    (2, ["apply", f"--{WORD}"]),
    (2, ["optimize", "-n", WORD]),
    (2, ["optimize", "-n", "0"]),
    (2, ["optimize", "-n", "2", "--size", "point", "-o", f"{NAME}.ecsv"]),
    (2, ["convert", "--pixels", WORD]),
    (2, ["check", "--explain", WORD]),
    (2, ["check", "good.apt", "--select", WORD]),
    (2, [WORD]),
    (2, []),
]

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def harmless(shown: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in shown)


def command(folder: Path, arguments: list[str], **environment: str) -> Run:
    settings = {"PYTHONIOENCODING": "utf-8", "NO_COLOR": "1", **environment}
    return run_here(*arguments, folder=folder, environment=settings)


def in_a_process(folder: Path, arguments: list[str], **environment: str) -> Run:
    settings = {"PYTHONIOENCODING": "utf-8", "NO_COLOR": "1", **environment}
    words = [os.fsencode(word) for word in arguments]
    return run(*words, folder=folder, environment=settings, seconds=120)


def named(rows: list[tuple[Any, list[str]]]) -> Iterator[Any]:
    for number, row in enumerate(rows):
        words = re.sub(r"[^\w.-]+", "_", " ".join(row[1]), flags=re.ASCII)[:50]
        yield pytest.param(*row, id=f"{number}-{words}")


@pytest.mark.parametrize(("kind", "arguments"), list(named(FINE)))
def test_what_is_printed_does_nothing(folder: Path, kind: str, arguments: list[str]) -> None:
    if arguments[0] in ("plot", "report"):
        pytest.importorskip("matplotlib")
    ended = command(folder, arguments)
    assert ended.code in (0, 1), ended.said
    assert harmless(ended.said)
    # Notes may stand there; an error would be another exit code.
    assert "aptdither: " not in ended.said
    match kind:
        case "text":
            assert harmless(ended.out)
        case "json":
            strict(ended.out)
        case "jsonl":
            assert [strict(line)["input"] for line in ended.out.splitlines()]
        case "diff":
            # For another program: exact, and still UTF-8. The names in its head are on one line.
            assert ended.out.startswith("--- ")


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["apply", NAME, "--dry-run"], {}),
        (["apply", "good.apt", "--dry-run", "--diff"], {"PYTHONIOENCODING": "ascii"}),
        (["check", NAME], {"FORCE_COLOR": "1", "NO_COLOR": "", "TERM": "xterm-256color"}),
        (["check", "good.apt", NAME, "--format", "json"], {}),
        (["apply", "bad tag.apt"], {}),
        (["apply", WORD], {}),
    ],
    ids=str,
)
def test_a_process_prints_what_these_tests_read(
    folder: Path, arguments: list[str], environment: dict[str, str]
) -> None:
    assert in_a_process(folder, arguments, **environment) == command(
        folder, arguments, **environment
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["apply", NAME, "--dry-run"],
        ["check", NAME],
        ["evaluate", "--proposal", NAME],
        ["fit", "seen.ecsv"],
        ["patterns", "own", "--catalog", "own.ecsv"],
        ["apply", "bad tag.apt"],
        ["apply", WORD],
    ],
    ids=str,
)
def test_colour_is_all_that_a_terminal_is_told(folder: Path, arguments: list[str]) -> None:
    ended = command(folder, arguments, FORCE_COLOR="1", NO_COLOR="", TERM="xterm-256color")
    assert STYLE.search(ended.out + ended.said)
    assert harmless(STYLE.sub("", ended.out))
    assert harmless(STYLE.sub("", ended.said))


@pytest.mark.parametrize(("code", "arguments"), list(named(REFUSED)))
def test_exit_code_and_words_agree(folder: Path, code: int, arguments: list[str]) -> None:
    ended = command(folder, arguments)
    assert ended.code == code, ended.said
    assert "internal error" not in ended.said
    assert "Traceback" not in ended.said
    assert harmless(ended.said)
    if arguments and arguments[0] != "check":
        assert ended.out == ""
    if "aptdither: " in ended.said:
        lines = ended.said.splitlines()
        if arguments[0] == "check" and code == 3:
            assert "0 files checked" in lines.pop()  # the summary of the run
        assert all(line.startswith("aptdither: ") for line in lines)
    else:
        assert code == 2
        assert "Usage" in ended.said + ended.out


@pytest.mark.parametrize("fmt", ["json", "jsonl", "sarif"])
def test_a_file_that_fails_is_told_in_json_and_in_words(folder: Path, fmt: str) -> None:
    paths = ["good.apt", "bad broken.apt", "bad encoding.apt"]
    ended = command(folder, ["check", *paths, "--format", fmt])
    assert ended.code == 3
    assert len([line for line in ended.said.splitlines() if line.startswith("aptdither: ")]) == 2
    for line in ended.out.splitlines() if fmt == "jsonl" else [ended.out]:
        strict(line)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16", "cp1252:strict"])
def test_a_terminal_of_another_encoding_gets_what_it_can_show(folder: Path, encoding: str) -> None:
    for arguments in (["apply", NAME, "--dry-run"], ["apply", "good.apt", "--dry-run", "--diff"]):
        ended = command(folder, arguments, PYTHONIOENCODING=encoding)
        assert ended.code == 0, ended.stderr


def test_the_page_shows_markup_and_runs_none(folder: Path) -> None:
    pytest.importorskip("matplotlib")
    ended = command(folder, ["report", NAME, "-o", "evil.html", "--force"])
    assert ended.code == 0, ended.said
    page = folder.joinpath("evil.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert all(c.isprintable() or c in "\n\t" for c in page)


def test_the_report_obeys_its_schema_whatever_the_file_holds(folder: Path) -> None:
    schema = json.loads(SCHEMAS.joinpath("report.schema.json").read_text())
    for arguments in (["apply", NAME, "--dry-run"], ["evaluate", "--proposal", NAME]):
        ended = command(folder, [*arguments, "--format", "json"])
        jsonschema.validate(strict(ended.out), schema)


def test_every_command_is_in_the_table() -> None:
    there = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert there == {arguments[0] for _, arguments in FINE}


def strict(written: str) -> Any:
    """Read JSON as its standard has it: no NaN, no lone surrogates, no key twice."""

    def no_constant(name: str) -> NoReturn:
        pytest.fail(f"{name} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(set(keys)) == len(keys)
        return dict(pairs)

    found = json.loads(written, parse_constant=no_constant, object_pairs_hook=once)
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    return found
