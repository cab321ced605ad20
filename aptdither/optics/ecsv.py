"""Read an observer's ECSV table, and refuse what would make its YAML reader work for ever.

In a header of a few hundred bytes an alias names what stands elsewhere, a merge (``<<``) copies it,
and copies of copies double with every line. No table needs either.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

#: Largest file, bytes: a catalog has some dozens of rows, a night of measurements hundreds.
MAX_BYTES = 5_000_000
#: Longest header, characters: YAML is read at some 20 kB a second, and ours has 1 kB.
MAX_HEADER = 50_000
#: Lines of a table at most.
MAX_LINES = 10_000

# Where a value may begin, an asterisk and a name: an alias. In a quoted text it looks the same.
_ALIAS = re.compile(r"(?:^|[-:?\[,{])\s*\*\w")


def read_ecsv_bytes(path: Path) -> bytes:
    """Return a table's bytes; an error (ValueError) ends a sentence that begins with the file."""
    if not path.is_file():
        raise ValueError("is a directory or a device" if path.exists() else "does not exist")
    try:
        with path.open("rb") as file:
            source = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(source) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES} bytes")
    return source


def parse_ecsv(source: bytes) -> Any:
    """Return the astropy table of an ECSV file; errors are as for :func:`read_ecsv_bytes`."""
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8 text") from error
    if not text.startswith("# %ECSV"):
        raise ValueError("is not ECSV: its first line must be `# %ECSV 1.0`")
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise ValueError(f"has {len(lines)} lines; at most {MAX_LINES} are read")
    size = sum(len(line) for line in lines if line.startswith("#"))
    if size > MAX_HEADER:
        raise ValueError(f"has {size} characters of header; at most {MAX_HEADER} are read")
    for number, line in enumerate(lines, start=1):
        if line.startswith("#") and _ALIAS.search(line.lstrip("#")):
            raise ValueError(
                f"has a YAML alias (*name) in line {number} of its header, which is not read"
            )
    from astropy.table import Table  # slow to import, and needed by few

    try:
        return Table.read(lines, format="ascii.ecsv")
    # The parser and the YAML reader below it raise whatever their code trips over.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"is not readable as ECSV: {reason}") from error
