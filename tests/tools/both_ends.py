"""Print both ends of the trade between efficiency and packing distance: ``python -m tests.tools.both_ends``.

Best worst-place E whatever the packing distance, and best packing distance whatever E, for aperture
IR, the full field and points at least 2 pixels apart; F160W for two and three points, else F125W.
The table stands in ``examples/README.md``. Takes a minute or two.
"""

from __future__ import annotations

import numpy as np

from aptdither.dither.optimizer.problem import DesignProblem, Wanted
from aptdither.dither.optimizer.strategy import candidate_phases, search
from aptdither.dither.phases import packing_limit
from aptdither.dither.views import View
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.types import Region

SPACING_PIX = 2.0
ENDS = {"best E": 0.0, "the rule": 0.002, "best d": 1.0}


def main() -> None:
    """Print the table as Markdown."""
    print("| N | " + " | ".join(f"{end}: E, d/d_N" for end in ENDS) + " |")
    print("| --- |" + " --- |" * len(ENDS))
    for n in range(2, 10):
        element = get_element("F160W" if n < 4 else "F125W", "WFC3/IR")
        view = View(get_aperture("IR", element.name), element, Region.full())
        site = DesignProblem(n=n, views=(view,))
        cells = []
        for equal in ENDS.values():
            rng = np.random.default_rng(0)
            sets = candidate_phases(site, rng)
            wanted = Wanted(SPACING_PIX, equal)
            found = wanted.best_of(search(site, wanted, sets, rng))
            cells.append(f"{found.efficiency:.3f}, {found.packing / packing_limit(n):.2f}")
        print(f"| {n} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
