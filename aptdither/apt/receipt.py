"""The ``@dithered`` receipt: the line that `apply` writes into the Comments of an exposure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import StrEnum

from aptdither.types import NO_OFFSET, PosTarg

#: A decimal number, and the name of a pattern or of a set, as tags and receipts have them.
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
NAME = r"[A-Za-z0-9._+-]{1,100}"

_RECEIPT = re.compile(
    rf"@dithered\s+([0-9]{{1,6}})/([0-9]{{1,6}})\s+({NAME})\s+"
    rf"base=({NUMBER}),({NUMBER})\s+(?:shift=({NUMBER}),({NUMBER})\s+)?"
    r"aptdither=(\S+)(?:\s+(copy|split))?",
    re.IGNORECASE,
)


class MadeBy(StrEnum):
    """How an exposure came to be: written by the observer, copied, or split off another one.

    An exposure is split off where an iteration or a position of an APT pattern became an exposure.
    """

    OBSERVER = ""
    COPY = "copy"
    SPLIT = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What `apply` writes into the Comments of an exposure that it dithered.

    It is the point `index` (1-based) of `total`. `base` is the POS TARG that the exposure had
    before; `shift` is an offset of the whole pattern: that of a visit between those of others.
    """

    index: int
    total: int
    pattern: str
    base: PosTarg
    version: str
    made_by: MadeBy = MadeBy.OBSERVER
    shift: PosTarg = NO_OFFSET

    @property
    def is_dither(self) -> bool:
        """Whether it is of more than one point: a single one is not dithered unless shifted."""
        return self.total > 1 or self.shift != NO_OFFSET

    @property
    def is_copy(self) -> bool:
        """Whether the exposure may be deleted again, since an expansion made it."""
        return self.made_by == MadeBy.COPY

    @property
    def text(self) -> str:
        """The receipt's line."""
        words = [f"@dithered {self.index}/{self.total} {self.pattern} base={_exact(self.base)}"]
        if self.shift != NO_OFFSET:
            words.append(f"shift={_exact(self.shift)}")
        words.append(f"aptdither={self.version}")
        return " ".join([*words, self.made_by] if self.made_by else words)

    def equals_ignoring_version(self, other: Receipt) -> bool:
        """Whether both are equal except for the version of aptdither that wrote them."""
        return replace(self, version="") == replace(other, version="")


def parse_receipt(line: str) -> Receipt | None:
    """Read one ``@dithered`` line; None if it is not one that this tool writes."""
    match = _RECEIPT.fullmatch(line.strip())
    if match is None:
        return None
    index, total = int(match[1]), int(match[2])
    numbers = [float(match[k] or 0.0) for k in (4, 5, 6, 7)]
    if not 1 <= index <= total or not all(map(math.isfinite, numbers)):
        return None
    return Receipt(
        index=index,
        total=total,
        pattern=match[3],
        base=PosTarg(x_arcsec=numbers[0], y_arcsec=numbers[1]),
        version=match[8],
        made_by=MadeBy((match[9] or "").lower()),
        shift=PosTarg(x_arcsec=numbers[2], y_arcsec=numbers[3]),
    )


def format_base(arcsec: float) -> str:
    """Return a base coordinate exactly: three decimals or as many as it needs; never -0.000."""
    arcsec += 0.0
    short = f"{arcsec:.3f}"
    return short if float(short) == arcsec else repr(arcsec)


def _exact(pos_targ: PosTarg) -> str:
    return ",".join(map(format_base, pos_targ.xy_arcsec))
