"""What an ECSV file of a user's may be, looked at before astropy and its YAML reader see it.

A header of a few hundred bytes can make a YAML reader work for ever: an alias names what stands
elsewhere, a merge (``<<``) copies it, and copies of copies double with every line. No table needs
either.
"""

from __future__ import annotations

import re

#: Longest header, characters: YAML is read at some 20 kB a second, and ours has 1 kB.
MAX_HEADER = 50_000
#: Most lines of a table. A catalogue for people has some dozens, a night of measurements hundreds.
MAX_LINES = 10_000

# Where a value may begin, an asterisk and a name: an alias. In a quoted text it looks the same.
_ALIAS = re.compile(r"(?:^|[-:?\[,{])\s*\*\w")


def find_ecsv_problem(text: str) -> str | None:
    """Return why a text is not read as ECSV; None when nothing stands in the way.

    Parameters
    ----------
    text : str
        The whole file.

    Returns
    -------
    str or None
        The end of a sentence that begins with the file's name.
    """
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        return f"has {len(lines)} lines; at most {MAX_LINES} are read"
    header = [line for line in lines if line.startswith("#")]
    size = sum(map(len, header))
    if size > MAX_HEADER:
        return f"has {size} characters of header; at most {MAX_HEADER} are read"
    for number, line in enumerate(lines, start=1):
        if line.startswith("#") and _ALIAS.search(line.lstrip("#")):
            return f"has a YAML alias (*name) in line {number} of its header, which is not read"
    return None
