"""The ``@dithered`` receipt: the line that `apply` writes into the Comments of an exposure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import StrEnum

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

    Attributes
    ----------
    index, total : int
        Which point of how many, 1-based.
    pattern : str
        Name of the pattern.
    base_x_arcsec, base_y_arcsec : float
        POS TARG that the exposure had before, arcsec.
    version : str
        The version of aptdither that wrote it.
    made_by : MadeBy
        How the exposure came to be.
    shift_x_arcsec, shift_y_arcsec : float
        Offset of the whole pattern, arcsec: that of a visit between those of others.
    """

    index: int
    total: int
    pattern: str
    base_x_arcsec: float
    base_y_arcsec: float
    version: str
    made_by: MadeBy = MadeBy.OBSERVER
    shift_x_arcsec: float = 0.0
    shift_y_arcsec: float = 0.0

    @property
    def is_dither(self) -> bool:
        """Whether it is of more than one point: a single one is not dithered unless shifted."""
        return self.total > 1 or bool(self.shift_x_arcsec or self.shift_y_arcsec)

    @property
    def is_copy(self) -> bool:
        """Whether the exposure may be deleted again, since an expansion made it."""
        return self.made_by == MadeBy.COPY

    @property
    def text(self) -> str:
        """The receipt's line."""
        base = f"{format_base(self.base_x_arcsec)},{format_base(self.base_y_arcsec)}"
        words = f"@dithered {self.index}/{self.total} {self.pattern} base={base}"
        if self.shift_x_arcsec or self.shift_y_arcsec:
            words += f" shift={format_base(self.shift_x_arcsec)},{format_base(self.shift_y_arcsec)}"
        made_by = f" {self.made_by}" if self.made_by else ""
        return f"{words} aptdither={self.version}{made_by}"

    def equals_ignoring_version(self, other: Receipt) -> bool:
        """Whether both are equal except for the version of aptdither that wrote them."""
        return replace(self, version="") == replace(other, version="")


def parse_receipt(line: str) -> Receipt | None:
    """Read one ``@dithered`` line; None if it is not one that this tool writes."""
    match = _RECEIPT.fullmatch(line.strip())
    if match is None:
        return None
    index, total = int(match[1]), int(match[2])
    x_arcsec, y_arcsec, shift_x, shift_y = (float(match[k] or 0.0) for k in (4, 5, 6, 7))
    if not 1 <= index <= total or not all(
        map(math.isfinite, (x_arcsec, y_arcsec, shift_x, shift_y))
    ):
        return None
    return Receipt(
        index=index,
        total=total,
        pattern=match[3],
        base_x_arcsec=x_arcsec,
        base_y_arcsec=y_arcsec,
        version=match[8],
        made_by=MadeBy((match[9] or "").lower()),
        shift_x_arcsec=shift_x,
        shift_y_arcsec=shift_y,
    )


def format_base(arcsec: float) -> str:
    """Return a base coordinate exactly: three decimals or as many as it needs; never -0.000."""
    arcsec += 0.0
    short = f"{arcsec:.3f}"
    return short if float(short) == arcsec else repr(arcsec)
