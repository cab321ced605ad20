"""What the telescope's own pointing errors leave of a pattern.

References
----------
.. [1] ISR WFC3 2016-14, section 3.2: drift, re-acquisition and roll.
.. [2] DrizzlePac Handbook, appendix B.3: repeatability of POS TARG steps, re-acquisition.
.. [3] ISR ACS 2005-07: stability of the roll within an orbit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aptdither.dither.phases import packing_distance, packing_limit
from aptdither.dither.region import FieldPoints
from aptdither.dither.views import Views, band_at, field_points, offsets_at
from aptdither.optics.aperture import plain
from aptdither.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PointingBudget:
    """The pointing errors of HST, each in each axis.

    Attributes
    ----------
    step_mas : float
        Repeatability of a POS TARG step within an orbit, rms. 2 to 5 mas [2]; 3.5 is the middle.
    drift_mas_per_orbit : float
        How far an image drifts over an orbit at the most; every orbit has its own rate, uniform
        between none and this, either way. "Up to about 8 mas" [1].
    reacquisition_mas : float
        Shift by re-acquiring the guide stars in a new orbit, rms. 5 to 20 mas [1]_, [2]_; 12 is the
        middle.
    roll_deg : float
        Error of the orientation of the POS TARG frame from exposure to exposure, rms; it moves an
        exposure by its offset times this angle. The ISR saw about 0.1 deg in the headers of a visit
        and 0.07 deg of scatter between data sets [1], in which its own measuring errors are;
        0.001 deg was measured within an orbit [3]. They differ a hundredfold: 0.01 is between them
        in the logarithm. It matters little: over 5 pixels it is 0.001 pixel (0.009 with 0.1 deg),
        over a step of 2 arcsec 0.35 mas (3.5 mas), as much as one step's repeatability.
    """

    step_mas: float = 3.5
    drift_mas_per_orbit: float = 8.0
    reacquisition_mas: float = 12.0
    roll_deg: float = 0.01

    def __post_init__(self) -> None:
        for name in ("step_mas", "drift_mas_per_orbit", "reacquisition_mas", "roll_deg"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise ValueError(f"{name} must be a number, zero or more, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PointingExpectation:
    """Coverage at the worst place that can be expected with pointing errors.

    Attributes
    ----------
    samples : int
        Number of simulated visits.
    seed : int
        Of the simulation.
    orbits : int
        Number of orbits the exposures are in.
    packing_nominal, efficiency_nominal : float
        At the worst place without errors.
    packing_median, efficiency_median : float
        Half of the visits do better.
    packing_5, efficiency_5 : float
        One visit of twenty does worse.
    sentence : str
        What it means, for a reader who acts on it.
    """

    samples: int
    seed: int
    orbits: int
    packing_nominal: float
    packing_median: float
    packing_5: float
    efficiency_nominal: float
    efficiency_median: float
    efficiency_5: float
    sentence: str


def expect(
    postargs: Any,
    views: Views,
    *,
    orbits: Sequence[int] | None = None,
    base: Any = (0.0, 0.0),
    budget: PointingBudget | None = None,
    seed: int = 0,
    samples: int = 200,
    grid: int = 2,
) -> PointingExpectation:
    """Return the coverage at the worst place that can be expected with pointing errors.

    Parameters
    ----------
    postargs : (N, 2) array_like, arcsec, or Quantity
        POS TARGs relative to `base`, in the order of the exposures.
    views : View or sequence of View
        What sees them: the worst place of all views counts.
    base : (2,) array_like, arcsec, or Quantity
        As for :func:`aptdither.dither.coverage.evaluate`.
    orbits : sequence of int, optional
        Orbit of each exposure; all in one when left out. Exposures of an orbit are taken to be
        evenly spread over it.
    budget : PointingBudget, optional
        The errors; the defaults of :class:`PointingBudget`.
    seed : int
        The same seed gives the same numbers.
    samples : int
        Number of simulated visits: with 200 the 5 % value of E is good to about 0.005.
    grid : int
        Field points on a side; 2 takes the center and the corners (or the rim), where the worst
        place nearly always is.

    Returns
    -------
    PointingExpectation
    """
    errors = PointingBudget() if budget is None else budget
    offsets = plain(postargs, "arcsec")
    in_orbit = _orbit_numbers(len(offsets), orbits)
    field = field_points(views, base=base, grid=grid)
    nominal_pix = offsets_at(offsets, views, field)
    to_pixels = _pixels_per_arcsec(views, field)
    band = band_at(views, field)

    def worst(moved: FloatArray) -> tuple[FloatArray, FloatArray]:
        return packing_distance(moved).min(axis=-1), band.efficiency(moved).min(axis=-1)

    def simulate(orbit_of: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
        shifts = shifts_arcsec(offsets, orbit_of, errors, np.random.default_rng(seed), count)
        return worst(nominal_pix + np.einsum("fab,snb->sfna", to_pixels, shifts))

    packing, efficiency = worst(nominal_pix[None])
    simulated_packing, simulated_efficiency = simulate(in_orbit, samples)
    count = len(np.unique(in_orbit))
    in_one = None
    if count > 1:
        in_one = float(np.median(simulate(np.zeros_like(in_orbit), samples // 2)[1]))
    packing_5, packing_median = np.quantile(simulated_packing, [0.05, 0.5])
    efficiency_5, efficiency_median = np.quantile(simulated_efficiency, [0.05, 0.5])
    return PointingExpectation(
        samples=samples,
        seed=seed,
        orbits=count,
        packing_nominal=float(packing[0]),
        packing_median=float(packing_median),
        packing_5=float(packing_5),
        efficiency_nominal=float(efficiency[0]),
        efficiency_median=float(efficiency_median),
        efficiency_5=float(efficiency_5),
        sentence=_sentence(
            n=len(offsets),
            nominal=float(efficiency[0]),
            median=float(efficiency_median),
            low=float(efficiency_5),
            packing_of_limit=float(packing_median) / packing_limit(len(offsets)),
            orbits=count,
            in_one_orbit=in_one,
        ),
    )


def _orbit_numbers(n: int, orbits: Sequence[int] | None) -> FloatArray:
    if orbits is None:
        return np.zeros(n)
    if len(orbits) != n:
        raise ValueError(f"there are {n} POS TARGs and {len(orbits)} orbit numbers")
    return np.asarray(orbits, dtype=float)


def shifts_arcsec(
    offsets: FloatArray,
    in_orbit: FloatArray,
    budget: PointingBudget,
    rng: np.random.Generator,
    samples: int,
) -> FloatArray:
    """Return the pointing error (S, N, 2), arcsec, of each exposure of each simulated visit."""
    n = len(offsets)
    shifts = rng.normal(0, budget.step_mas / 1000, (samples, n, 2))
    for orbit in np.unique(in_orbit):
        members = np.flatnonzero(in_orbit == orbit)
        most = budget.drift_mas_per_orbit / 1000
        drift = rng.uniform(-most, most, (samples, 1, 2))
        when = np.linspace(0, 1, len(members)) if len(members) > 1 else np.zeros(1)
        acquired = rng.normal(0, budget.reacquisition_mas / 1000, (samples, 1, 2))
        shifts[:, members] += acquired + drift * when[:, None]
    # A small rotation by an angle: (x, y) moves by the angle times (-y, x).
    angle = rng.normal(0, np.radians(budget.roll_deg), (samples, n, 1))
    turned: FloatArray = shifts + angle * np.stack([-offsets[:, 1], offsets[:, 0]], axis=-1)
    return turned


def _pixels_per_arcsec(views: Views, field: FieldPoints) -> FloatArray:
    """Return the linear map (F, 2, 2) from arcsec to pixels at each field point.

    Differences over 0.1 arcsec: the errors are a tenth of that, and the map bends by 1e-5 there.
    """
    half = 0.05
    ends = np.array([(half, 0.0), (-half, 0.0), (0.0, half), (0.0, -half)])
    moved = offsets_at(ends, views, field)
    columns = (moved[:, 0::2] - moved[:, 1::2]) / (2 * half)
    return np.swapaxes(columns, 1, 2)


def _sentence(
    *,
    n: int,
    nominal: float,
    median: float,
    low: float,
    packing_of_limit: float,
    orbits: int,
    in_one_orbit: float | None,
) -> str:
    if n == 1:
        return "One exposure has no dither that pointing errors could spoil."
    summary = (
        f"With HST's pointing errors expect an efficiency of {median:.3f} at the worst place "
        f"({nominal:.3f} without; below {low:.3f} in one visit of 20) and phases "
        f"{packing_of_limit:.0%} of the largest possible distance apart"
    )
    by_telescope, by_pattern = nominal - median, 1 - nominal
    if in_one_orbit is not None and in_one_orbit - median > max(0.005, by_telescope / 2):
        return (
            f"{summary}: most of the loss comes from the {orbits} orbits; in one it would be "
            f"{in_one_orbit:.3f}, so keep the exposures of a filter in one orbit if you can."
        )
    if by_pattern > max(0.05, by_telescope):
        return f"{summary}: the pattern costs more than the pointing errors, so a better pattern would help."
    if by_telescope < 0.01:
        return f"{summary}: the pattern is robust against pointing errors."
    return (
        f"{summary}: the pointing errors cost more than the pattern, so more points would help, "
        "another pattern hardly."
    )
