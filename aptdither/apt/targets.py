"""Where the fixed targets of a proposal are on the sky."""

from __future__ import annotations

import re

from aptdither.apt.document import read_document
from aptdither.apt.proposal import read_decimal

#: Degrees of right ascension and declination: (ra, dec).
Position = tuple[float, float]

_SEXAGESIMAL = 6
_DEGREES = 2


def read_targets(source: bytes, path: str = "") -> dict[str, Position]:
    """Return the positions of the fixed targets, by their names.

    Parameters
    ----------
    source : bytes
        The .apt file.
    path : str
        Its name, for messages.

    Returns
    -------
    dict
        ``{name: (ra_deg, dec_deg)}``; targets whose position cannot be read are left out.

    Raises
    ------
    DocumentError
        If the file is not XML that can be read safely.
    """
    _, root, _ = read_document(source, frozenset({"FixedTarget"}), path=path)
    found: dict[str, Position] = {}
    for target in root.iterfind("Targets/FixedTarget"):
        location = target.find("EquatorialPosition")
        position = None if location is None else read_position(location.get("Value", ""))
        if position is not None:
            found.setdefault(target.get("Name", ""), position)
    return found


def read_position(text: str) -> Position | None:
    """Read ``05 32 10.00 -66 12 00.0``, the same with colons, or two numbers of degrees.

    Returns
    -------
    (float, float) or None
        Right ascension and declination in degrees; None for what is no position.
    """
    words = re.split(r"[\s:,hmsd°'\"]+", text.strip().strip("s\"'"))
    values = [read_decimal(word) for word in words]
    if any(value is None for value in values):
        return None
    numbers = [abs(value) for value in values if value is not None]
    if len(numbers) == _SEXAGESIMAL:
        ra = 15 * (numbers[0] + numbers[1] / 60 + numbers[2] / 3600)
        dec = numbers[3] + numbers[4] / 60 + numbers[5] / 3600
        # The sign is the text's: minus zero degrees are south.
        position = ra, -dec if words[3].startswith("-") else dec
        is_sane = words[0][:1] != "-" and max(numbers[1:3] + numbers[4:]) < 60
    elif len(numbers) == _DEGREES:
        position = float(words[0]), float(words[1])
        is_sane = True
    else:
        return None
    is_sane = is_sane and 0 <= position[0] < 360 and -90 <= position[1] <= 90
    return position if is_sane else None
