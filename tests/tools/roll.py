"""Print what roll errors leave of patterns: ``python -m tests.tools.roll``; stands in ``examples/README.md``.

The ISR says 0.1 degree within a visit, ACS ISR 2005-07 measured 0.001 within an orbit.
"""

from __future__ import annotations

from dataclasses import replace

from aptdither.dither.catalog import load_catalog
from aptdither.dither.pointing_errors import PointingBudget, expect
from aptdither.dither.views import View
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.types import Region

ROLLS_DEG = (0.001, 0.01, 0.1)
PATTERNS = ("tight-4", "tight-9", "wide-4", "wide-9")


def main() -> None:
    """Print the table as Markdown: median and 5 % of the worst-place E."""
    print("| pattern | " + " | ".join(f"roll {roll:g} deg" for roll in ROLLS_DEG) + " |")
    print("| --- |" + " --- |" * len(ROLLS_DEG))
    aperture, element = get_aperture("IR", "F125W"), get_element("F125W", "WFC3/IR")
    for name in PATTERNS:
        postargs = load_catalog().get(name).postargs(aperture)
        region = Region.full() if name.startswith("tight") else Region.disc(diameter_pix=507.0)
        cells = []
        for roll in ROLLS_DEG:
            budget = replace(PointingBudget(), roll_deg=roll)
            found = expect(postargs, View(aperture, element, region), budget=budget)
            cells.append(f"{found.efficiency_median:.3f}, {found.efficiency_5:.3f}")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
