"""What a design gives: the pattern, its figures, and how it was found."""

from __future__ import annotations

from dataclasses import dataclass

from aptdither.dither.phases import packing_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizeResult:
    """A designed pattern, and how it was found.

    Attributes
    ----------
    postargs : tuple of (float, float)
        POS TARGs from the first point, which is (0, 0), arcsec with three decimals; ordered for the
        shortest path.
    element : str
        The spectral element of the view with the worst place.
    efficiency_center, efficiency_worst : float
        `E` at the center of the region and at its worst place.
    packing_center, packing_worst : float
        Packing distance there, pixels; `packing_of_limit_worst` is over the largest possible.
    best_efficiency : float
        Best worst-case `E` of all patterns that were found; what counts as equal to it
        was given for packing distance.
    possible_efficiency : float
        Bound: the best `E` that any phases reach at the region's most undersampled place alone.
    asked_spacing_pix, separation_pix, span_pix : float
        Spacing that was asked for, smallest and largest distance of two points.
    slew_seconds : float
        Overhead of the moves between the points.
    seed : int
    """

    postargs: tuple[tuple[float, float], ...]
    element: str
    efficiency_center: float
    efficiency_worst: float
    packing_center: float
    packing_worst: float
    best_efficiency: float
    possible_efficiency: float
    asked_spacing_pix: float
    separation_pix: float
    span_pix: float
    slew_seconds: float
    seed: int

    @property
    def n(self) -> int:
        """Number of points."""
        return len(self.postargs)

    @property
    def packing_of_limit_center(self) -> float:
        """Packing distance at the center over the largest possible."""
        return self.packing_center / packing_limit(self.n)

    @property
    def packing_of_limit_worst(self) -> float:
        """Packing distance at the worst place over the largest possible."""
        return self.packing_worst / packing_limit(self.n)

    def sentence(self) -> str:
        """Say in one sentence how far from the limit the result is."""
        return (
            f"worst-case efficiency {self.efficiency_worst:.3f}, "
            f"{self.possible_efficiency - self.efficiency_worst:.3f} below what any {self.n} "
            f"exposures reach at one place; packing {self.packing_of_limit_worst:.0%} of the limit"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WidestResult:
    """The widest pattern that costs no more than the tolerance.

    Attributes
    ----------
    result : OptimizeResult
        The pattern; its `asked_spacing_pix` is the spacing that was found.
    tightest_efficiency : float
        Best worst-case `E` at the detector's tight spacing.
    tolerance : float
        What of it the spacing may cost.
    """

    result: OptimizeResult
    tightest_efficiency: float
    tolerance: float

    @property
    def loss(self) -> float:
        """What the spacing costs in worst-case `E`; negative if it costs nothing."""
        return self.tightest_efficiency - self.result.efficiency_worst


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeoffPoint:
    """What a spacing costs.

    Attributes
    ----------
    spacing_pix : float
        The spacing that was asked for.
    result : OptimizeResult
        The best pattern that keeps it, by the same rule at every spacing.
    """

    spacing_pix: float
    result: OptimizeResult
