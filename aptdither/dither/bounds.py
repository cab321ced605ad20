"""What no pattern can exceed: the best efficiency that exposures reach at one place alone.

A pattern is no better over a region than at each of its places, and at one place only its phases
count. So the best `E` of any phases, at the place where the pixels sample the band worst, bounds
what a search over the region can find.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from aptdither.dither.optimizer.objective import FieldMap, Objective, ascend
from aptdither.dither.optimizer.starts import phase_sets
from aptdither.dither.optimizer.strategy import DesignProblem
from aptdither.dither.sampling import AliasingModel


@lru_cache(maxsize=256)
def best_possible_efficiency(n: int, wavelength_nm: float, x_scale: float, y_scale: float) -> float:
    """Return the best `E` that `n` exposures are known to reach at one place.

    It is the best of 64 climbs, from every lattice of `n` phases, from larger lattices and at
    random: not proved, but 1 wherever an alias-free lattice exists, which nothing exceeds.

    Parameters
    ----------
    n : int
        Number of exposures, 1 or more.
    wavelength_nm : float
    x_scale, y_scale : float
        Pixel scales at the place, arcsec per pixel.
    """
    here = Objective(field=FieldMap.here(), band=AliasingModel(wavelength_nm, x_scale, y_scale))
    phases, _ = phase_sets(n, 64, np.random.default_rng(0))
    _, value = ascend(here.worst_efficiency(1.0), phases, steps=60)
    return min(1.0, float(value.max()))


def possible_over(site: DesignProblem) -> float:
    """Return the bound of `E` at the most undersampled place of a site's region."""
    field = site.places(5)
    x_scale, y_scale = site.aperture.scale_at(field.x_pix, field.y_pix)
    worst = int(np.argmax(x_scale * y_scale))
    return best_possible_efficiency(
        site.n, site.wavelength_nm, round(float(x_scale[worst]), 5), round(float(y_scale[worst]), 5)
    )
