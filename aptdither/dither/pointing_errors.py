"""What the telescope's own pointing errors leave of a pattern.

References
----------
.. [1] ISR WFC3 2016-14, section 3.2: drift, re-acquisition and roll.
.. [2] DrizzlePac Handbook, appendix B.3: repeatability of POS TARG steps, re-acquisition.
.. [3] ISR ACS 2005-07: steps and roll within an orbit, 2.3 mas and 0.001 deg.
.. [4] Anderson & Baggett 2025, arXiv:2511.16411 (WFC3 ISR), abstract: one guide star and one gyro.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aptdither.dither.coverage import Coverage, evaluate
from aptdither.dither.places import Places
from aptdither.dither.region import FieldPoints
from aptdither.dither.views import Views, offsets_at
from aptdither.optics.aperture import plain
from aptdither.types import FloatArray

#: Worst places of a coverage that the errors are simulated at. Chosen for speed: against 40 places, over
#: the whole field, the median of `E` is too high by at most 0.008 for this project's tight patterns and
#: by 0.024 for its wide ones, and that of the packing distance by 0.08 and 0.15 of the limit.
_PLACES = 8


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


#: The smallest and the largest errors that the sources give for two guide stars; of the roll not the
#: 0.1 deg of headers, in which their own errors are.
SMALLEST_ERRORS = PointingBudget(
    step_mas=2.0, drift_mas_per_orbit=0.0, reacquisition_mas=5.0, roll_deg=0.001
)
LARGEST_ERRORS = PointingBudget(step_mas=5.0, reacquisition_mas=20.0)

#: With one guide star and one gyro (HST has had one gyro since June 2024). The drift is from the abstract
#: of [4]_ alone, not from its text or tables: over an orbit WFC3/UVIS images drifted by less than 0.2
#: pixel in four cases of five, and by 0.4 pixel, 16 mas, in the other. With two guide stars, as nearly
#: always, images are as sharp as before. How well steps repeat with one gyro has no published number
#: that is known here: the other errors are those of two guide stars, which is an assumption.
ONE_GUIDE_STAR = PointingBudget(drift_mas_per_orbit=16.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointingExpectation:
    """Coverage at the worst place that can be expected with pointing errors.

    Attributes
    ----------
    samples, seed, orbits : int
        Number of simulated visits, seed of the simulation, and number of orbits the exposures are in.
    packing_nominal, efficiency_nominal : float
        Without errors: distance of the nearest two phases of one cluster, of the largest that so many
        can have, and `E`.
    packing_median, efficiency_median : float
        Half of the visits do better.
    packing_5, efficiency_5 : float
        One visit of twenty does worse.
    efficiency_low, efficiency_high : float
        The median with the largest and with the smallest errors that the sources give.
    efficiency_one_orbit : float
        The median if all exposures were in one orbit.
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
    efficiency_low: float
    efficiency_high: float
    efficiency_one_orbit: float


def expect(
    postargs: Any,
    views: Views,
    *,
    orbits: Sequence[int] | None = None,
    clusters: int = 1,
    base: Any = (0.0, 0.0),
    budget: PointingBudget | None = None,
    coverage: Coverage | None = None,
    seed: int = 0,
    samples: int = 200,
) -> PointingExpectation:
    """Return the coverage at the worst place that can be expected with pointing errors.

    Parameters
    ----------
    postargs : (N, 2) array_like, arcsec, or Quantity
        POS TARGs relative to `base`, in the order of the exposures.
    views : View or sequence of View
        What sees them: the worst place of all views counts.
    orbits : sequence of int, optional
        Orbit of each exposure; all in one when left out. Exposures of an orbit are taken to be
        evenly spread over it.
    clusters : int
        Into how many clusters the exposures fall, one after the other.
    base : (2,) array_like, arcsec, or Quantity
        As for :func:`aptdither.dither.coverage.evaluate`.
    budget : PointingBudget, optional
        The errors; the defaults of :class:`PointingBudget`. Where it is given, it takes the place of
        the smallest and the largest errors, too.
    coverage : Coverage, optional
        Of the same POS TARGs, whose worst places count; evaluated when left out.
    seed : int
        The same seed gives the same numbers.
    samples : int
        Number of simulated visits: with 200 the 5 % value of E is good to about 0.005.

    Returns
    -------
    PointingExpectation
    """
    offsets = plain(postargs, "arcsec")
    in_orbit = _orbit_numbers(len(offsets), orbits)
    if coverage is None:
        coverage = evaluate(offsets, views, base=base)
    places = Places.of(offsets, views, coverage.field.at(_worst_places(coverage)))
    to_pixels = _pixels_per_arcsec(views, places.field)
    groups = np.array_split(np.arange(len(offsets)), clusters)

    def simulate(errors: PointingBudget, orbit_of: FloatArray) -> tuple[FloatArray, FloatArray]:
        rng = np.random.default_rng(seed)
        shifts = shifts_arcsec(offsets, orbit_of, errors, rng, samples)
        return places.worst_when_moved(np.einsum("fab,snb->sfna", to_pixels, shifts), groups)

    def median(errors: PointingBudget, orbit_of: FloatArray) -> float:
        return float(np.median(simulate(errors, orbit_of)[1]))

    errors = budget or PointingBudget()
    nominal, _ = places.worst_when_moved(np.zeros((1, *places.offsets.shape)), groups)
    packing, efficiency = simulate(errors, in_orbit)
    count = len(np.unique(in_orbit))
    packing_5, packing_median = np.quantile(packing, [0.05, 0.5])
    efficiency_5, efficiency_median = np.quantile(efficiency, [0.05, 0.5])
    return PointingExpectation(
        samples=samples,
        seed=seed,
        orbits=count,
        packing_nominal=float(nominal[0]),
        packing_median=float(packing_median),
        packing_5=float(packing_5),
        efficiency_nominal=coverage.worst.efficiency,
        efficiency_median=float(efficiency_median),
        efficiency_5=float(efficiency_5),
        efficiency_low=median(budget or LARGEST_ERRORS, in_orbit),
        efficiency_high=median(budget or SMALLEST_ERRORS, in_orbit),
        efficiency_one_orbit=(
            float(efficiency_median) if count == 1 else median(errors, np.zeros_like(in_orbit))
        ),
    )


def _worst_places(coverage: Coverage) -> list[int]:
    """Return where `E` and packing distance are worst, and some places that are nearly so bad."""
    field = coverage.field
    positions = np.stack([field.view, field.chip, field.x_pix, field.y_pix], axis=-1)
    _, different = np.unique(positions, axis=0, return_index=True)
    order = different[np.argsort(coverage.efficiency[different], kind="stable")]
    return [int(np.argmin(coverage.packing)), *order[: _PLACES - 1].tolist()]


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
