"""The figures of POS TARGs at some places, by the exposures that see each place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from aptdither.dither.phases import (
    largest_hole,
    packing_distance,
    packing_limit,
)
from aptdither.dither.region import FieldPoints, IntArray
from aptdither.dither.sampling import AliasingModel
from aptdither.dither.views import Views, band_of, offsets_at, optics_at, seen_at
from aptdither.types import FloatArray


@dataclass(frozen=True, eq=False)
class Places:
    """The figures of POS TARGs at some places, by the exposures that see each place.

    An exposure that does not see a place has no phase there, and its share of the ideal is lost. A
    place that no exposure sees has the phases that it would have. Offsets are (F, N, 2), pixels; `seen`
    (F, N) tells which exposures see each place. Amplification and lost fraction are taken from `tables`,
    everything else from `model`.
    """

    field: FieldPoints
    offsets: FloatArray
    seen: npt.NDArray[np.bool_]
    model: AliasingModel
    tables: AliasingModel

    @classmethod
    def of(
        cls,
        postargs: FloatArray,
        views: Views,
        field: FieldPoints,
        model: AliasingModel | None = None,
        tables: AliasingModel | None = None,
    ) -> Places:
        """Return places where POS TARGs (N, 2), arcsec, are looked at; without a model their own."""
        offsets = offsets_at(postargs, views, field)
        seen = seen_at(offsets, views, field)
        seen |= ~seen.any(axis=1, keepdims=True)
        model = model or band_of(optics_at(views, field))
        return cls(field, offsets, seen, model, tables or model)

    def only(self, places: IntArray) -> Places:
        """Return some of the places, by their indices."""
        return Places(
            self.field.at(places),
            self.offsets[places],
            self.seen[places],
            self.model.at(places),
            self.tables.at(places),
        )

    def worst_when_moved(
        self, moves: FloatArray, clusters: Sequence[IntArray]
    ) -> tuple[FloatArray, FloatArray]:
        """Return the worst packing distance over its limit, and the worst `E`, of moved exposures, both (S,).

        `moves` (S, F, N, 2), pixels, hold `S` times a move of each exposure at each place; `clusters` the
        indices of the exposures of each cluster, within which distances count.
        """
        moved, n = self.offsets + moves, self.offsets.shape[1]
        packing, efficiency = np.ones(len(moves)), np.ones(len(moves))
        for mask, members in self._by_exposures():
            found = (
                self.model.at(members).efficiency(moved[:, members][:, :, mask], of=n).min(axis=-1)
            )
            efficiency = np.minimum(efficiency, found)
            for cluster in clusters:
                seen = cluster[mask[cluster]]
                if len(seen):
                    apart = packing_distance(moved[:, members][:, :, seen]).min(axis=-1)
                    packing = np.minimum(packing, apart / packing_limit(len(seen)))
        return packing, efficiency

    @cached_property
    def packing(self) -> FloatArray:
        """Smallest distance of two phases, pixels, (F,)."""
        return self._each(lambda offsets, _: packing_distance(offsets))

    @cached_property
    def packing_of_limit(self) -> FloatArray:
        """The same as a fraction of the largest that so many phases can have, (F,)."""
        counts = self.seen.sum(axis=1)
        limits = {int(n): packing_limit(int(n)) for n in np.unique(counts)}
        return np.asarray(self.packing / [limits[int(n)] for n in counts])

    @cached_property
    def hole(self) -> FloatArray:
        """Largest distance of any phase from the nearest, pixels, (F,)."""
        return self._each(lambda offsets, _: largest_hole(offsets))

    @cached_property
    def hole_roughly(self) -> FloatArray:
        """The same to 0.002 pixel, which is quicker."""
        return self._each(lambda offsets, _: largest_hole(offsets, tolerance=2e-3))

    @cached_property
    def efficiency(self) -> FloatArray:
        """`E` (F,)."""
        n = self.offsets.shape[1]
        return self._each(lambda offsets, at: self.model.at(at).efficiency(offsets, of=n))

    @cached_property
    def amplification(self) -> FloatArray:
        """`A` and the lost fraction, (2, F)."""
        n = self.offsets.shape[1]
        return self._each(
            lambda offsets, at: np.stack(self.tables.at(at).amplification(offsets, of=n))
        )

    def _each(self, figure: Callable[[FloatArray, IntArray], FloatArray]) -> FloatArray:
        """Return a figure of the offsets at places, by their indices, that the same exposures see."""
        if self.seen.all():
            return figure(self.offsets, np.arange(len(self.offsets)))
        parts, order = [], []
        for mask, members in self._by_exposures():
            parts.append(figure(self.offsets[members][:, mask], members))
            order.append(members)
        return np.concatenate(parts, axis=-1)[..., np.argsort(np.concatenate(order))]

    def _by_exposures(self) -> list[tuple[npt.NDArray[np.bool_], IntArray]]:
        """Return each set of exposures that see places, and the indices of these."""
        masks, which = np.unique(self.seen, axis=0, return_inverse=True)
        return [(mask, np.flatnonzero(which.ravel() == k)) for k, mask in enumerate(masks)]
