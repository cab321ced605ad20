"""One chip of a detector, and the part of it that is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptdither.optics.distortion import Distortion
from aptdither.types import FloatArray


@dataclass(frozen=True, slots=True)
class Readout:
    """The part of a chip that is read: centers of its first and last pixels.

    Pixels of the calibrated full-frame image, 1-based; a pixel's area reaches 0.5 further.
    """

    x_min: float
    x_max: float
    y_min: float
    y_max: float

    @property
    def center(self) -> tuple[float, float]:
        """Pixel coordinates of the middle."""
        return (self.x_min + self.x_max) / 2, (self.y_min + self.y_max) / 2

    def excess(self, x_pix: npt.ArrayLike, y_pix: npt.ArrayLike) -> FloatArray:
        """Return how far positions lie off the area that is read, in x and y, pixels, (..., 2).

        Negative to the left and below; 0 within the pixels' areas.
        """
        x, y = np.asarray(x_pix, dtype=float), np.asarray(y_pix, dtype=float)
        return np.stack(
            [
                x - np.clip(x, self.x_min - 0.5, self.x_max + 0.5),
                y - np.clip(y, self.y_min - 0.5, self.y_max + 0.5),
            ],
            axis=-1,
        )

    def distance(self, x_pix: npt.ArrayLike, y_pix: npt.ArrayLike) -> FloatArray:
        """Return the distance from positions to the nearest pixel center that is read, pixels."""
        x, y = np.asarray(x_pix, dtype=float), np.asarray(y_pix, dtype=float)
        dx = np.clip(x, self.x_min, self.x_max) - x
        dy = np.clip(y, self.y_min, self.y_max) - y
        return np.asarray(np.hypot(dx, dy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One chip of a detector, as an aperture reads it.

    `name` is for people (``WFC3/IR``, ``UVIS2``), `number` the chip's own, 1 or 2. The distortion leads from
    pixels about the reference pixel, in the calibrated image of the chip, to the ideal frame of the
    *aperture*.
    """

    name: str
    number: int
    readout: Readout
    reference_pix: tuple[float, float]
    distortion: Distortion
