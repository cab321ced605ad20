"""Coverage of one 9-point pattern over 9 x 9 places with E: milliseconds, and a plain peer.

Run ``python tests/bench/bench_coverage.py``. The peer is the definition of E written down as loops
over places and frequencies with ``numpy.linalg.inv`` (``plain`` in ``tests/test_efficiency.py``),
on the same places and the same 8 x 8 frequencies; both give the same worst E.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from aptdither.dither.views import View, band_at, field_points, offsets_at
from aptdither.types import Region

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from aptdither.dither.catalog import load_catalog
from aptdither.dither.coverage import evaluate
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from tests.test_efficiency import plain

GOAL_MS = 50.0


def main() -> int:
    aperture, element = get_aperture("IR", "F125W"), get_element("F125W", "WFC3/IR")
    view = View(aperture, element, Region.full())
    postargs = load_catalog().get("tight-9").postargs(aperture)
    evaluate(postargs, view)
    everything, kernel = [], []
    for _ in range(9):
        start = time.perf_counter()
        coverage = evaluate(postargs, view)
        everything.append(time.perf_counter() - start)
        start = time.perf_counter()
        field = field_points(view)
        offsets = offsets_at(postargs, view, field)
        efficiency = band_at(view, field).efficiency(offsets)
        kernel.append(time.perf_counter() - start)
    field = coverage.field
    offsets = offsets_at(postargs, view, field)
    detector = aperture.detector
    (kernel_of_ir,) = detector.pixel_kernels
    start = time.perf_counter()
    worst = min(
        plain(
            phases,
            element.wavelength_nm,
            pixels=pixels,
            pupil=(detector.pupil.inner, detector.pupil.outer),
            kernel=(kernel_of_ir.corner, kernel_of_ir.edge, kernel_of_ir.center),
            amplify=False,
        )[0]
        for phases, pixels in zip(
            offsets, aperture.jacobian_at(field.x_pix, field.y_pix), strict=True
        )
    )
    peer = time.perf_counter() - start
    assert efficiency.min() >= worst
    assert abs(worst - coverage.worst.efficiency) < 1e-9
    print(
        f"{len(offsets)} places with the worst, {len(postargs)} points, {element.name}; medians of 9 runs"
    )
    print(f"distortion, phases and E:            {np.median(kernel) * 1e3:8.1f} ms")
    print(f"with packing, hole, A, worst places: {np.median(everything) * 1e3:8.1f} ms")
    print(f"E by the plain loops:                {peer * 1e3:8.1f} ms")
    print(f"ratio, E alone:                      {peer / np.median(kernel):8.0f}")
    print(
        f"goal: under {GOAL_MS:g} ms, {'met' if np.median(everything) < GOAL_MS / 1e3 else 'MISSED'}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
