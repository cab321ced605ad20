"""Review of an archive: 1,000 proposals of about 200 KB, two processes against one.

Run by hand: ``python -m tests.bench.bench_check [FILES]``. The peer is ``lxml.etree.parse`` of the
same files in the same run. The proposals are made here, as realistic as the format is known: planner
output is most of a file, a visit in three is not WFC3/IR, stock patterns and dithers by hand take
turns (of those, one in five is unlike all others), and one file in a hundred is broken.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
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
            children = [exposure(i, config="STIS/CCD", element="MIRVIS") for i in range(1, 9)]
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


@dataclass(frozen=True, kw_only=True)
class Run:
    """One whole run of the command."""

    wall_s: float
    cpu_s: dict[int, float]  # of each of its processes
    memory_mb: int
    printed: str


def timed(folder: Path, *options: str) -> Run:
    """Run the command over the archive, looking at its processes all the while."""
    command = [sys.executable, "-m", "aptdither", "check", str(folder), *options]
    cpu: dict[int, float] = {}
    with (folder / "printed").open("w+") as printed:
        start = time.perf_counter()
        with subprocess.Popen(
            command, stdout=printed, stderr=subprocess.DEVNULL, start_new_session=True
        ) as process:
            while process.poll() is None:
                cpu |= cpu_of_session(process.pid)
                time.sleep(0.05)
        elapsed = time.perf_counter() - start
        assert process.returncode == 3
        printed.seek(0)
        return Run(
            wall_s=elapsed,
            cpu_s=cpu,
            memory_mb=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
            printed=printed.read(),
        )


def cpu_of_session(session: int) -> dict[int, float]:
    """Return the CPU seconds of every process of a session (Linux)."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks = int(fields[11]) + int(fields[12])
                found[int(path.parent.name)] = ticks / os.sysconf("SC_CLK_TCK")
    return found


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
        one, two = timed(folder), timed(folder, "-j", "2")
        assert one.printed == two.printed
        cpu, busiest = sum(one.cpu_s.values()), max(two.cpu_s.values())
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(f"lxml.etree.parse   {parsed:7.2f} s")
        print(
            f"check              {one.wall_s:7.2f} s, {one.wall_s / parsed:.1f} x lxml, "
            f"{cpu:.2f} s of CPU, {one.memory_mb} MB at most"
        )
        print(f"check -j 2         {two.wall_s:7.2f} s, {one.wall_s / two.wall_s:.2f} x as fast")
        # What two free cores would give, on a machine that has none to spare.
        print(
            f"its processes: {', '.join(f'{s:.2f}' for s in two.cpu_s.values())} s of CPU; the "
            f"busiest has {cpu / busiest:.2f} x less than one process"
        )
        print(one.printed.splitlines()[-1])


if __name__ == "__main__":
    main()
