"""``optimize -n 9 --size full`` against ``scipy.optimize.differential_evolution``.

Run ``python tests/bench/bench_optimize.py [SECONDS]``. Both maximise the worst E of 9 points over
the same 5 x 5 places of aperture IR at F125W, with the same penalty for points nearer than 2 px,
through the same vectorised code. The peer stops when it reaches the worst E of the pattern that
the optimizer returned, or after SECONDS (default 120): then the ratio is a lower bound. CPU
seconds of the process are compared; set OPENBLAS_NUM_THREADS=1 for quiet ones.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from scipy.optimize import differential_evolution

from aptdither.dither.optimizer.optimize import optimize
from aptdither.dither.optimizer.problem import DesignProblem
from aptdither.dither.views import View, field_points
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.types import Region

N = 9
HALF_WIDTH_PIX = 5.0
"""The peer looks for points in a box of this half width: what optimize finds lies in such a box."""


def main() -> int:
    limit = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    aperture, element = get_aperture("IR", "F125W"), get_element("F125W", "WFC3/IR")
    view = View(aperture, element, Region.full())
    spacing_pix = aperture.detector.tight_spacing_pix
    start = time.process_time()
    result = optimize(N, view, spacing_pix)
    ours = time.process_time() - start
    site = DesignProblem(n=N, views=(view,))
    objective = site.objective(spacing_pix, field_points(view, grid=5))
    target = result.efficiency_worst

    def loss(columns: np.ndarray) -> np.ndarray:
        free = columns.T.reshape(-1, N - 1, 2)
        pattern = np.concatenate([np.zeros((len(free), 1, 2)), free], axis=1)
        value = objective.efficiency(pattern).min(axis=-1)
        return np.asarray(objective.crowding(pattern) - value)

    begun = time.process_time()
    reached = []

    def stop(best: np.ndarray, convergence: float) -> bool:
        reached.append(-float(loss(best[:, None])[0]))
        return reached[-1] >= target or time.process_time() - begun > limit

    differential_evolution(
        loss,
        [(-HALF_WIDTH_PIX, HALF_WIDTH_PIX)] * (2 * (N - 1)),
        rng=0,
        maxiter=10**6,
        popsize=15,
        tol=0,
        atol=0,
        polish=False,
        updating="deferred",
        vectorized=True,
        callback=stop,
    )
    peer = time.process_time() - begun
    at_least = "" if reached[-1] >= target else "at least "
    print(
        f"optimize: {ours:.1f} CPU seconds, worst E {target:.4f}, packing as well "
        f"({result.coverage.worst.packing_of_limit:.0%} of the limit)"
    )
    print(
        f"differential_evolution: {peer:.1f} CPU seconds, worst E {reached[-1]:.4f} "
        f"after {len(reached)} generations"
    )
    print(f"ratio: {at_least}{peer / ours:.0f} (goal 20); under 5 s of CPU: {ours < 5}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
