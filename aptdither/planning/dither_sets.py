"""Sets of exposures that are dithered together, over visits and tiles: values alone."""

from __future__ import annotations

from dataclasses import dataclass

from aptdither.apt.proposal import Exposure, ExposureGroup, Visit
from aptdither.apt.receipt import Receipt
from aptdither.apt.tags import DitherRequest
from aptdither.errors import Location
from aptdither.types import PosTarg, Region, Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One exposure of a set, as the observer wrote it, with what an earlier run made of it.

    `copies` may be removed again. It stands for `runs` exposures: its iterations times its
    pattern's points. In a prime and parallel container `together` are the other prime exposures,
    which get the same POS TARG, and `parallels` move along.
    """

    exposure: Exposure
    copies: tuple[Exposure, ...] = ()
    runs: int = 1
    receipt: Receipt | None = None
    together: tuple[Exposure, ...] = ()
    parallels: tuple[Exposure, ...] = ()

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """The exposures that get its points: itself, its copies, the other primes with it."""
        return (self.exposure, *self.copies, *self.together)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The exposures that a set has in one visit about one base: a cluster, coherent by itself.

    `base` is the POS TARG that all had before they were dithered. The first tag of the set in this
    visit stands at `location`. The pattern groups in `unwrapped` become plain groups. A visit that
    `is_completed` was executed: its exposures give their phases and are not changed.
    """

    visit: Visit
    members: tuple[Member, ...]
    base: PosTarg
    location: Location
    unwrapped: tuple[ExposureGroup, ...] = ()
    is_completed: bool = False

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """Every exposure, copies of earlier runs too, in document order."""
        return tuple(exposure for member in self.members for exposure in member.exposures)

    def by_setup(self) -> dict[Setup, tuple[Member, ...]]:
        """Return the members of each setup, setups in the order of their first exposure."""
        setups: dict[Setup, tuple[Member, ...]] = {}
        for member in self.members:
            setup = member.exposure.setup
            setups[setup] = (*setups.get(setup, ()), member)
        return setups


@dataclass(frozen=True, slots=True, kw_only=True)
class DitherSet:
    """Exposures that are dithered together, and how: what the tags ask for, with the defaults.

    `shares` is what it has in each visit and about each base, in document order; `tag` is the first
    tag as written, at `location`.
    """

    shares: tuple[Share, ...]
    request: DitherRequest
    tag: str
    location: Location

    @property
    def region(self) -> Region:
        """Where its coverage matters."""
        return self.request.size or Region.full()

    @property
    def is_mosaic(self) -> bool:
        """Whether it has exposures about several bases."""
        return len({share.base for share in self.shares}) > 1

    def is_joined(self, share: Share) -> bool:
        """Tell whether other visits have exposures about the base of a share."""
        return sum(other.base == share.base for other in self.shares) > 1

    @property
    def is_completed(self) -> bool:
        """Whether all of its visits were executed."""
        return all(share.is_completed for share in self.shares)
