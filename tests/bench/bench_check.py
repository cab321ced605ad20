"""Review of an archive: 1,000 proposals of about 200 KB, two processes against one.

Run by hand: ``python -m tests.bench.bench_check [FILES]``. The peer is ``lxml.etree.parse`` of the
same files in the same run. The proposals are made here, as realistic as the format is known: planner
output is most of a file, a visit in three is not WFC3/IR, stock patterns and dithers by hand take
turns (of those, one in five is unlike all others), and one file in a hundred is broken.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from lxml import etree

from tests.made import box_pattern, exposure, group, proposal, visit

BOX = ((0, 0), (0.542, 0.182), (0.339, 0.485), (-0.203, 0.303))
LINE = ((0, 0), (0.474, 0.424))
LINE_3PT = ((0, 0), (0.451, 0.403), (0.902, 0.806))
FILTERS = ("F105W", "F125W", "F140W", "F160W")
SIZE = 200_000


def made(rng: np.random.Generator) -> bytes:
    """Return one proposal."""
    filters = list(rng.permutation(FILTERS)[:2])
    visits = []
    for number in range(1, int(rng.integers(4, 13))):
        kind = rng.integers(6)
        if kind < 2:
            children = [exposure(i, config="ACS/WFC", element="F606W") for i in range(1, 9)]
        elif kind == 2:
            inside = [exposure(i, element=e) for i, e in enumerate(filters, 1)]
            children = [group(*inside, attributes=' Type="Pattern" Pattern="1"')]
        else:
            points = (BOX, LINE, LINE_3PT)[rng.integers(3)]
            if rng.random() < 0.2:
                points = tuple(np.round(rng.uniform(-0.7, 0.7, (int(rng.integers(2, 9)), 2)), 3))
            children = [
                exposure(i, element=filters[i % 2], postarg=(f"{x:g}", f"{y:g}"))
                for i, (x, y) in enumerate((p for p in points for _ in range(2)), 1)
            ]
        visits.append(visit(*children, number=f"{number:02}"))
    text = proposal(*visits, patterns=box_pattern())
    # Planner output fills the file; a real one of this size has about 700 elements.
    filler = (
        b'<AncillaryData\n   Title="Roll Ranges Report"\n   Label="Roll Ranges Report">\n'
        b'<RollReportData\n   RollRanges="'
        + b"01 Aug 2018&#x9;&#x9;&#x9;068.11 - 111.23&#xD;&#xA;" * 8
        + b'" />\n</AncillaryData>\n'
    )
    share = max(0, SIZE - len(text)) // len(filler)
    tools = b"<ToolData>\n" + filler * share + b"</ToolData>\n<Visits>\n"
    return text.replace(b"<Visits>\n", tools, 1)


def write_archive(folder: Path, count: int) -> list[Path]:
    """Write the proposals; one in a hundred is cut off."""
    rng = np.random.default_rng(13417)
    paths = []
    for number in range(count):
        text = made(rng)
        path = folder / f"{number % 10}" / f"{number:05}.apt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text[: len(text) // 2] if number % 100 == 99 else text)
        paths.append(path)
    return paths


def timed(folder: Path, *options: str) -> tuple[float, str, int]:
    """Return the wall time of a whole run, what it printed, and its largest memory, MB."""
    command = [sys.executable, "-m", "aptdither", "check", str(folder), *options]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - start
    assert done.returncode == 3, done.stderr[-2000:]
    return elapsed, done.stdout, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024


def parse_all(paths: list[Path]) -> float:
    """Return how long lxml alone takes to read the files."""
    start = time.perf_counter()
    for path in paths:
        try:
            etree.parse(path)
        except etree.XMLSyntaxError:
            continue
    return time.perf_counter() - start


def main() -> None:
    """Print the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_archive(folder, count)
        size = sum(path.stat().st_size for path in paths) / len(paths)
        print(f"{count} proposals of {size / 1000:.0f} KB")
        parse_all(paths)  # the disk's cache is warm for everyone
        parsed = min(parse_all(paths) for _ in range(2))
        one, printed, memory = timed(folder, "--format", "text")
        two, printed_by_two, _ = timed(folder, "--format", "text", "-j", "2")
        assert printed == printed_by_two
        print(f"lxml.etree.parse   {parsed:7.2f} s")
        print(f"check              {one:7.2f} s, {one / parsed:.1f} x lxml, {memory} MB at most")
        print(f"check -j 2         {two:7.2f} s, {one / two:.2f} x as fast as one")
        print(printed.splitlines()[-1])


if __name__ == "__main__":
    main()
