"""The values that every part of aptdither speaks of: POS TARGs, regions, spacings, setups.

They need nothing but the standard library, so that the command line can read its options without
numpy. Sky values of the public API may be astropy Quantities at the door; inside they are plain
numbers whose unit ends their name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FloatArray: TypeAlias = "npt.NDArray[np.float64]"

#: Called with the fraction done, 0 to 1, and what is being done.
Progress: TypeAlias = Callable[[float, str], None]

#: Decimals of a POS TARG in arcsec as it is written: 0.001 arcsec is 0.0074 pixel of WFC3/IR.
POSTARG_DECIMALS = 3


class Shown:
    """A result that a notebook shows as the report does.

    The reports depend on the results, so a result reaches them by name, and only when asked.
    """

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        """Return it as a piece of the report's page; None without the extra ``plot``."""
        with suppress(ModuleNotFoundError):
            return str(import_module("aptdither.report.notebook").part_of(self))
        return None

    def to_table(self) -> Any:
        """Return it as an :class:`astropy.table.Table` whose columns have units.

        A plan and a group have a row for each exposure, a pattern for each point, a coverage for
        each place of the region.
        """
        return import_module("aptdither.report.notebook").table_of(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PosTarg:
    """An offset of the target from the aperture's reference point, in the aperture's ideal frame.

    `x_arcsec` and `y_arcsec` are along the POS TARG axes.

    Examples
    --------
    >>> base = PosTarg(x_arcsec=1.0, y_arcsec=0.0)
    >>> (base + PosTarg(x_arcsec=0.3216, y_arcsec=-0.0002)).rounded()
    PosTarg(x_arcsec=1.322, y_arcsec=0.0)
    >>> base.text
    '1.000, 0.000'
    """

    x_arcsec: float
    y_arcsec: float

    def __add__(self, other: PosTarg) -> PosTarg:
        """Return the sum of two offsets."""
        return PosTarg(
            x_arcsec=self.x_arcsec + other.x_arcsec, y_arcsec=self.y_arcsec + other.y_arcsec
        )

    def __sub__(self, other: PosTarg) -> PosTarg:
        """Return the difference of two offsets."""
        return PosTarg(
            x_arcsec=self.x_arcsec - other.x_arcsec, y_arcsec=self.y_arcsec - other.y_arcsec
        )

    @property
    def xy_arcsec(self) -> tuple[float, float]:
        """Both coordinates, arcsec."""
        return self.x_arcsec, self.y_arcsec

    @property
    def length_arcsec(self) -> float:
        """Distance from the reference point, arcsec."""
        return math.hypot(self.x_arcsec, self.y_arcsec)

    def rounded(self) -> PosTarg:
        """Return the POS TARG with the three decimals that are written; never minus zero."""
        return PosTarg(
            x_arcsec=round(float(self.x_arcsec), POSTARG_DECIMALS) + 0.0,
            y_arcsec=round(float(self.y_arcsec), POSTARG_DECIMALS) + 0.0,
        )

    @property
    def written(self) -> tuple[str, str]:
        """X and Y as they are written to a proposal: ``('1.322', '0.000')``."""
        at = self.rounded()
        return f"{at.x_arcsec:.{POSTARG_DECIMALS}f}", f"{at.y_arcsec:.{POSTARG_DECIMALS}f}"

    @property
    def text(self) -> str:
        """X and Y for people: ``1.322, 0.000``."""
        return ", ".join(self.written)


#: No offset: the target on the aperture's reference point.
NO_OFFSET = PosTarg(x_arcsec=0.0, y_arcsec=0.0)


class LengthUnit(StrEnum):
    """Unit of a diameter or a distance: on the sky, or on the detector."""

    ARCSEC = "arcsec"
    PIX = "pix"


class RegionKind(StrEnum):
    """All that an aperture reads, the place where the target lands, or a disc about it."""

    FULL = "full"
    POINT = "point"
    DISC = "disc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where the coverage matters; made by :meth:`full`, :meth:`disc` or :meth:`point`.

    Examples
    --------
    >>> Region.disc(diameter_arcsec=30).text
    '30arcsec'
    >>> Region.full().text
    'full'
    """

    kind: RegionKind
    diameter: float | None = None
    unit: LengthUnit | None = None

    @classmethod
    def full(cls) -> Region:
        """Return all that the aperture reads."""
        return cls(kind=RegionKind.FULL)

    @classmethod
    def point(cls) -> Region:
        """Return the place where the target lands, alone."""
        return cls(kind=RegionKind.POINT)

    @classmethod
    def disc(cls, *, diameter_arcsec: Any = None, diameter_pix: float | None = None) -> Region:
        """Return a disc about the place where the target lands.

        It has one diameter: a number of arcsec or a Quantity, or a number of pixels.

        Raises
        ------
        ValueError
            Unless it is a finite number above zero.
        """
        if (diameter_arcsec is None) == (diameter_pix is None):
            raise ValueError("a disc has one diameter: in arcsec or in pixels")
        unit = LengthUnit.ARCSEC if diameter_pix is None else LengthUnit.PIX
        diameter = diameter_arcsec if diameter_pix is None else diameter_pix
        if hasattr(diameter, "to_value"):  # a Quantity; astropy is not imported here
            diameter = diameter.to_value("arcsec")
        with suppress(TypeError):
            if 0 < float(diameter) < math.inf:
                return cls(kind=RegionKind.DISC, diameter=float(diameter), unit=unit)
        raise ValueError(f"the diameter of a disc is a number above zero, not {diameter}")

    @property
    def text(self) -> str:
        """The region as a tag writes it: ``30arcsec``."""
        return self.kind.value if self.diameter is None else f"{_short(self.diameter)}{self.unit}"


class SpacingKind(StrEnum):
    """How the smallest distance between two points is given."""

    TIGHT = "tight"
    WIDE = "wide"
    DISTANCE = "distance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spacing:
    """Smallest distance between two points: tight, as wide as the region lets it be, or a distance.

    Examples
    --------
    >>> Spacing.of(12, LengthUnit.PIX).text
    '12pix'
    """

    kind: SpacingKind
    distance: float | None = None
    unit: LengthUnit | None = None

    @classmethod
    def of(cls, distance: float, unit: LengthUnit) -> Spacing:
        """Return a spacing that is a distance."""
        return cls(kind=SpacingKind.DISTANCE, distance=distance, unit=unit)

    @property
    def text(self) -> str:
        """The spacing as a tag writes it: ``12pix``."""
        return self.kind.value if self.distance is None else f"{_short(self.distance)}{self.unit}"


TIGHT = Spacing(kind=SpacingKind.TIGHT)
WIDE = Spacing(kind=SpacingKind.WIDE)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Setup:
    """What makes exposures comparable, as APT writes it: ``WFC3/IR``, ``IR-FIX``, ``F160W``."""

    config: str
    aperture: str
    element: str

    @property
    def text(self) -> str:
        """Aperture and spectral element: ``IR-FIX F160W``."""
        return f"{self.aperture} {self.element}"


def _short(value: float) -> str:
    return repr(value).removesuffix(".0")
