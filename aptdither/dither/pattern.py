"""Patterns: the offsets of a set of exposures, with their source."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from aptdither.errors import CatalogError
from aptdither.types import POSTARG_DECIMALS, FloatArray, Shown

if TYPE_CHECKING:
    from aptdither.optics.aperture import Aperture

OffsetFrame = Literal["pix", "postarg"]

#: Points of a pattern at most: a visit holds some dozens of exposures.
MAX_POINTS = 1000
#: Largest coordinate of a point, pixels or arcsec: larger ones lie on no detector.
MAX_COORDINATE = 1e6
#: Tags and receipts hold the name of a pattern: this is what they can read.
NAME_PATTERN = re.compile(r"[A-Za-z0-9._+-]{1,100}", re.ASCII)
#: The texts of a pattern, in the order of data files.
TEXT_FIELDS = (
    "config",
    "parallel",
    "designed_for",
    "source",
    "version",
    "rebuild",
    "meaning",
    "note",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern(Shown):
    """Offsets of a set of exposures.

    Attributes
    ----------
    name : str
        Letters, digits and ``. _ + -``; looked up without regard to case.
    points : tuple of (float, float)
        Offsets x, y in the order of the exposures, in the unit of `frame`.
    frame : {"pix", "postarg"}
        ``pix``: pixels at the aperture's reference point, +x along columns. ``postarg``: POS TARGs,
        arcsec, the same through every aperture.
    config : str
        APT's Config of the detector it is for, of the prime where there are two; "" for any.
    parallel : str
        Config of the parallel detector that it is for as well; "" for none.
    designed_for : str
        For how many exposures, of what.
    source : str
        Where it comes from: a document and its section, a program, a command.
    version : str
        Of the source, or the date of what was observed.
    rebuild : str
        How to get the same numbers again.
    meaning : str
        What the numbers are, with their unit.
    note : str
        What an observer should know before using it.

    Raises
    ------
    CatalogError
        If the name or the points cannot be: the message says which.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    frame: OffsetFrame
    config: str = ""
    parallel: str = ""
    designed_for: str = ""
    source: str = ""
    version: str = ""
    rebuild: str = ""
    meaning: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.frame not in ("pix", "postarg"):
            raise CatalogError(f"{self.name}: the frame is pix or postarg, not {self.frame!r}")
        if not 1 <= len(self.points) <= MAX_POINTS:
            raise CatalogError(
                f"{self.name}: a pattern has 1 to {MAX_POINTS} points, not {len(self.points)}"
            )
        for number, point in enumerate(self.points, start=1):
            if not all(abs(value) <= MAX_COORDINATE for value in point):
                raise CatalogError(
                    f"{self.name}: point {number} is not two finite numbers of at most "
                    f"{MAX_COORDINATE:.0f}: {point}"
                )

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.points)

    def postargs(self, aperture: Aperture) -> FloatArray:
        """Return the POS TARGs (N, 2), arcsec, rounded to the three decimals that are written.

        Pixel patterns go through the aperture's distortion polynomial at its reference point.
        """
        points = np.array(self.points, dtype=float)
        if self.frame == "pix":
            points = np.stack(aperture.postarg_from_offset(points[:, 0], points[:, 1]), axis=-1)
        return rounded(points)

    def offsets_pix(self, aperture: Aperture) -> FloatArray:
        """Return the offsets (N, 2), pixels at the aperture's reference point, unrounded."""
        points = np.array(self.points, dtype=float)
        if self.frame == "pix":
            return points
        return np.stack(aperture.offset_from_postarg(points[:, 0], points[:, 1]), axis=-1)


def check_name(name: str) -> None:
    """Raise an error (CatalogError) for a name that no pattern can have."""
    if not NAME_PATTERN.fullmatch(name):
        raise CatalogError(
            f"a pattern cannot be called {name[:110]!r}: letters, digits and . _ + - are allowed, "
            "at most 100 of them"
        )


def rounded(postargs_arcsec: FloatArray) -> FloatArray:
    """Return POS TARGs at the three decimals that are written, never -0."""
    return np.asarray(np.round(postargs_arcsec, POSTARG_DECIMALS) + 0.0)
