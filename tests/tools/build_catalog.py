"""Write the project's own patterns: ``python -m tests.tools.build_catalog --write``.

For each detector, with 2 to 9 points: ``tight`` patterns are for the whole field, with points at
least the detector's tight spacing apart (the rule of ISR WFC3 2016-14, section 5); ``wide`` ones are
for the central half, a disc whose diameter is half of the detector's side, with points as far apart
as a stated loss of efficiency allows (section 6). ``ir-wfc`` and ``uvis-wfc`` are tight patterns for
a prime and its coordinated parallel, both whole fields: the worst of both decides. All are POS TARGs.

Each family is designed in a filter that is used much and whose band that many points can recover:
a redder one for two and three points.

The command prints the text of ``data/patterns-designed.json``; ``--write`` replaces that file, after
each pattern. A search starts from the patterns of the file too, so that a rebuild keeps what it
cannot better; the same file, seed and rounds give the same patterns. It takes half an hour;
``--only tight-6 wide-6`` designs these alone, and ``--only`` without names none: notes are always
those of today's figures.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import aptdither
from aptdither.dither.catalog import DESIGNED_FILE, patterns_from_json
from aptdither.dither.coverage import evaluate
from aptdither.dither.optimizer.limits import FAMILIES, POINTS
from aptdither.dither.optimizer.optimize import (
    EQUAL_EFFICIENCY,
    EQUAL_PACKING,
    WIDE_TOLERANCE,
    optimize,
    widest_spacing,
)
from aptdither.dither.optimizer.strategy import Effort
from aptdither.dither.pattern import TEXT_FIELDS, Pattern
from aptdither.dither.phases import min_separation, span
from aptdither.dither.views import View
from aptdither.version import __version__

ROUNDS = 4
COMMAND = "python -m tests.tools.build_catalog --write"
DESCRIPTION = (
    "Patterns designed by this project's optimizer by the rules of ISR WFC3 2016-14, sections 5 "
    "(tight) and 6 (wide); they are not the patterns of that report."
)


JOINT_FEW_TOLERANCE = 0.03
"""Worst-case `E` that counts as equal for two and three points seen by two detectors: as much as steps
that repeat to 5 mas cost. Packing distance gains: 0.78 of the limit and not 0.71 with two points on
WFC3/IR and ACS/WFC. The most there is, whatever `E`, is 0.784 with two points (all POS TARGs of 2 to
8 pixels) and 0.833 with three (not rounded, the best of 240 climbs)."""
NAMES = tuple(f"{family}-{n}" for family in FAMILIES for n in POINTS)


def views_of(name: str) -> tuple[View, ...]:
    """Return what the pattern of one of `NAMES` is designed for."""
    family, _, n = name.rpartition("-")
    return FAMILIES[family].views(int(n))


def designed(name: str, *, seed: int = 0, rounds: int = ROUNDS) -> Pattern:
    """Return the pattern of one of `NAMES`, designed anew."""
    family, _, n = name.rpartition("-")
    views = views_of(name)
    spacing_pix = views[0].aperture.detector.tight_spacing_pix
    if FAMILIES[family].is_wide:
        effort = Effort(rounds=max(1, rounds // 4))
        result = widest_spacing(int(n), views, seed=seed, effort=effort)
        region = views[0].region.text
        where = (
            f"the central half (a disc of {region}), points as far apart as a loss of "
            f"{WIDE_TOLERANCE:g} in efficiency allows"
        )
    else:
        effort = Effort(rounds=rounds)
        if len(views) > 1:
            effort = Effort(rounds=rounds, climbers=100, moves=4, work=1e10)
        equal = JOINT_FEW_TOLERANCE if len(views) > 1 and int(n) < 4 else None
        result = optimize(int(n), views, spacing_pix, seed=seed, effort=effort, equal=equal)
        where = f"the whole field, points at least {spacing_pix:g} pixels apart"
    seen = " and ".join(f"{view.aperture.name}, {view.element.name}" for view in views)
    return Pattern(
        name=name,
        points=result.postargs,
        frame="postarg",
        config=views[0].aperture.config,
        parallel=views[1].aperture.config if len(views) > 1 else "",
        designed_for=f"{n} exposures, {where}; aperture {seen}",
        source="aptdither's optimizer, by the rules of ISR WFC3 2016-14; not a pattern of it",
        version=__version__,
        rebuild=f"{COMMAND} --only {name} --seed {seed} --rounds {rounds}",
        meaning="POS TARG offsets from the first point, arcsec",
    )


def note_of(pattern: Pattern) -> str:
    """Return the figures of a designed pattern, in words."""
    views = views_of(pattern.name)
    aperture = views[0].aperture
    figures = [evaluate(pattern.postargs(aperture), view) for view in views]
    pixels = pattern.offsets_pix(aperture)
    words = [
        f"In {view.element.name}, at the center and the worst place: efficiency "
        f"{one.center.efficiency:.3f} and {one.worst.efficiency:.3f}, packing distance "
        f"{one.center.packing_of_limit:.0%} and {one.worst.packing_of_limit:.0%} of the limit."
        for view, one in zip(views, figures, strict=True)
    ]
    return " ".join(
        [*words, f"Points {min_separation(pixels):.1f} to {span(pixels):.1f} pixels apart."]
    )


def patterns_as_json(
    patterns: Iterable[Pattern], *, description: str, generated: dict[str, Any] | None = None
) -> str:
    """Return the text of a data file of patterns; the same patterns give the same text.

    `description` says in one sentence what the file holds, `generated` how a command made it.
    """
    head: dict[str, Any] = {"catalog_version": 1, "description": description}
    if generated is not None:
        head["generated"] = generated
    entries = [json.dumps(_as_entry(pattern), ensure_ascii=False, indent=2) for pattern in patterns]
    # Points stand one pair a line: a changed point is one changed line.
    pair = re.compile(r"\[\s+([-+.\deE]+),\s+([-+.\deE]+)\s+\]")
    listed = ",\n".join(pair.sub(r"[\1, \2]", entry) for entry in entries)
    opening = json.dumps(head, ensure_ascii=False, indent=2)[: -len("\n}")]
    indented = "\n".join(f"    {line}" for line in listed.splitlines())
    return f'{opening},\n  "patterns": [\n{indented}\n  ]\n}}\n'


def _as_entry(pattern: Pattern) -> dict[str, Any]:
    entry = asdict(pattern)
    keys = ("name", "frame", "points", *TEXT_FIELDS)
    return {key: entry[key] for key in keys if entry[key] or key not in ("config", "parallel")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.tools.build_catalog", description=__doc__
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="searches, one after the other")
    parser.add_argument("--only", nargs="*", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--write", action="store_true", help="replace the data file")
    options = parser.parse_args(arguments)
    file = Path(aptdither.__file__).parent / "data" / DESIGNED_FILE
    have = {p.name: p for p in patterns_from_json(file.read_text(encoding="utf-8"))}
    for name in options.only:
        new = designed(name, seed=options.seed, rounds=options.rounds)
        if name not in have or not _is_tie(new, have[name]):
            have[name] = new
        have[name] = replace(have[name], note=note_of(have[name]))
        print(f"{name}: {have[name].note}", file=sys.stderr, flush=True)
        if options.write:
            _write(file, have)
    have = {name: replace(pattern, note=note_of(pattern)) for name, pattern in have.items()}
    if options.write:
        _write(file, have)
    else:
        print(_text(have), end="")
    return 0


def _is_tie(new: Pattern, old: Pattern) -> bool:
    """Tell whether a pattern is worth no change: equal by the rule, and no farther apart."""
    views = views_of(new.name)
    aperture = views[0].aperture
    one, other = (evaluate(p.postargs(aperture), views).worst for p in (new, old))
    wider = min_separation(new.offsets_pix(aperture)) - min_separation(old.offsets_pix(aperture))
    return (
        abs(one.efficiency - other.efficiency) < EQUAL_EFFICIENCY
        and one.packing_of_limit < other.packing_of_limit + EQUAL_PACKING
        and ("wide" not in new.name or wider < 0.1)
    )


def _text(patterns: dict[str, Pattern]) -> str:
    listed = [patterns[name] for name in NAMES if name in patterns]
    return patterns_as_json(listed, description=DESCRIPTION, generated={"command": COMMAND})


def _write(file: Path, patterns: dict[str, Pattern]) -> None:
    file.write_text(_text(patterns), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    raise SystemExit(main())
