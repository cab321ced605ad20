"""Write the project's own patterns: ``python -m aptdither.dither.optimizer.build_catalog``.

``tight-2`` to ``tight-9`` are for the whole field, with points at least 2 pixels apart (the rule of
ISR WFC3 2016-14, section 5); ``wide-2`` to ``wide-9`` are for the central half, a disc whose
diameter is half of the detector's side, with points as far apart as a stated loss of efficiency
allows (section 6). All are designed for aperture IR, in POS TARGs; F125W decides for four points
and more, F160W for two and three, whose band they cannot recover in any bluer filter.

The command prints the text of ``data/patterns-designed.json``; ``--write`` replaces that file. The
same seed and effort give the same patterns. It takes some ten minutes; ``--only tight-6 wide-6``
designs these and keeps the others as they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aptdither.dither.catalog import DESIGNED_FILE, patterns_as_json, patterns_from_json
from aptdither.dither.optimizer.optimize import (
    WIDE_TOLERANCE,
    OptimizeResult,
    optimize,
    widest_spacing,
)
from aptdither.dither.optimizer.strategy import Effort
from aptdither.dither.pattern import Pattern
from aptdither.dither.views import View
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.types import Region
from aptdither.version import __version__

CONFIG = "WFC3/IR"
APERTURE = "IR"
CENTRAL_HALF_PIX = 507.0
"""Diameter of the central half: half of the 1014 pixels of the detector's side."""
ROUNDS = 8
POINTS = range(2, 10)
NAMES = tuple(f"{kind}-{n}" for kind in ("tight", "wide") for n in POINTS)
COMMAND = "python -m aptdither.dither.optimizer.build_catalog --write"
DESCRIPTION = (
    "Patterns designed by this project's optimizer by the rules of ISR WFC3 2016-14, sections 5 "
    "(tight) and 6 (wide); they are not the patterns of that report."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    kind: str
    n: int
    seed: int
    rounds: int

    @property
    def element(self) -> str:
        return "F160W" if self.n < 4 else "F125W"

    def pattern(self) -> Pattern:
        aperture = get_aperture(APERTURE, self.element, config=CONFIG)
        element = get_element(self.element, CONFIG)
        if self.kind == "tight":
            spacing_pix = aperture.detector.tight_spacing_pix
            view = View(aperture, element, Region.full())
            effort = Effort(rounds=self.rounds)
            result = optimize(self.n, view, spacing_pix, seed=self.seed, effort=effort)
            where = f"the whole field, points at least {spacing_pix:g} pixels apart"
        else:
            view = View(aperture, element, Region.disc(diameter_pix=CENTRAL_HALF_PIX))
            effort = Effort(rounds=max(1, self.rounds // 4))
            result = widest_spacing(self.n, view, seed=self.seed, effort=effort).result
            where = (
                f"the central half (a disc of {CENTRAL_HALF_PIX:g} pixels), points as far apart as "
                f"a loss of {WIDE_TOLERANCE:g} in efficiency allows"
            )
        return Pattern(
            name=f"{self.kind}-{self.n}",
            points=result.postargs,
            frame="postarg",
            designed_for=f"{self.n} exposures, {where}; aperture {APERTURE}, {self.element}",
            source="aptdither's optimizer, by the rules of ISR WFC3 2016-14; not a pattern of it",
            version=__version__,
            rebuild=f"{COMMAND} --seed {self.seed} --rounds {self.rounds}",
            meaning="POS TARG offsets from the first point, arcsec",
            note=_note(result),
        )


def _note(result: OptimizeResult) -> str:
    return (
        f"In {result.element}, at the center and the worst place: efficiency "
        f"{result.efficiency_center:.3f} and {result.efficiency_worst:.3f}, packing distance "
        f"{result.packing_of_limit_center:.0%} and {result.packing_of_limit_worst:.0%} of the "
        f"limit. Points {result.separation_pix:.1f} to {result.span_pix:.1f} pixels apart."
    )


def design(
    names: Sequence[str], kept: Sequence[Pattern], *, seed: int = 0, rounds: int = ROUNDS
) -> tuple[Pattern, ...]:
    """Return the patterns of the catalog, those of `names` designed anew.

    Parameters
    ----------
    names : sequence of str
        Of `NAMES`.
    kept : sequence of Pattern
        Where the others come from.
    seed, rounds : int
        As for :func:`~aptdither.dither.optimizer.optimize.optimize`.
    """
    have = {pattern.name: pattern for pattern in kept}
    for name in names:
        kind, n = name.split("-")
        have[name] = _Job(kind=kind, n=int(n), seed=seed, rounds=rounds).pattern()
        print(f"{name}: {have[name].note}", file=sys.stderr, flush=True)
    return tuple(have[name] for name in NAMES if name in have)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m aptdither.dither.optimizer.build_catalog", description=__doc__
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="searches that are pooled")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--write", action="store_true", help="replace the data file")
    options = parser.parse_args(arguments)
    file = Path(__file__).parents[2] / "data" / DESIGNED_FILE
    kept = patterns_from_json(file.read_text(encoding="utf-8")) if file.exists() else ()
    patterns = design(options.only, kept, seed=options.seed, rounds=options.rounds)
    text = patterns_as_json(
        patterns,
        description=DESCRIPTION,
        generated={"command": COMMAND, "seed": options.seed, "rounds": options.rounds},
    )
    if options.write:
        file.write_text(text, encoding="utf-8", newline="\n")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
