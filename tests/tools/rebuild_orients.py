"""Rebuild aptdither/data/wfc3ir-orients.json from the SIAF that the PyPI package pysiaf ships.

Run ``python tests/tools/rebuild_orients.py`` where pysiaf is installed; its data is read, nothing
is fetched.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "aptdither" / "data"
ANGLE = "V3IdlYAngle"
PARITY = "VIdlParity"


def rebuild() -> str:
    """Return the text of the data file."""
    import pysiaf

    siaf = pysiaf.Siaf("HST")
    names = json.loads((DATA / "wfc3ir-apertures.json").read_text(encoding="utf-8"))["entries"]
    assert all(getattr(siaf[name], PARITY) == -1 for name in names), "the sky would be mirrored"
    content = {
        "provenance": {
            "source": "HST SIAF, file siaf.dat-1.90 of the PyPI package pysiaf",
            "version": "1.90",
            "licence": "BSD-3-Clause (pysiaf, Space Telescope Science Institute)",
            "rebuild": "python tests/tools/rebuild_orients.py",
        },
        "meaning": "V3IdlYAngle of each SIAF aperture: degrees from the V3 axis to the aperture's +Y"
        " (POS TARG) axis, in the sense north to east on the sky; all have VIdlParity -1",
        "y_angle_deg": {
            name: round(float(getattr(siaf[name], ANGLE)), 4) for name in sorted(names)
        },
    }
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(rebuild())
