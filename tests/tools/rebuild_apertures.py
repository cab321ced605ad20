"""Rebuild aptdither/data/wfc3ir-apertures.json from the HST SIAF that the pysiaf package carries.

Usage, from the top of the checkout, with pysiaf installed (it is found, never imported: its import
asks the network which version is newest)::

    python -m pip install pysiaf
    python tests/tools/rebuild_apertures.py

The same SIAF gives the same bytes. ``--siaf FILE`` reads another file, ``--output FILE`` writes
elsewhere.

A SIAF record has fixed columns of 15 characters and ends with its type. Of each aperture are used:
the first CAJ record (V2 and V3 of the reference point), the second (V3IdlYAngle), the third (parity;
degree of the polynomial; reference pixel x, y), the two AQ records (the four corners in the ideal frame)
and the AK records: forward x, forward y, inverse x, inverse y, one line per term in the order 1, y,
x, y², xy, x², … The inverse is left behind: over the detector it is wrong by up to 0.2 pixel.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

SIAF_NAME = "siaf.dat-1.90"
OUTPUT = Path(__file__).resolve().parents[2] / "aptdither" / "data" / "wfc3ir-apertures.json"

#: Reference pixels on each side: the SIAF counts them, the calibrated image does not have them.
BORDER_PIX = 5
#: Pixels along each side of the calibrated full-frame image.
SIDE_PIX = 1014
#: The SIAF's corners are those of the outermost pixels, to a quarter of a pixel, in arcsec.
CORNER_TOLERANCE_ARCSEC = 0.03

#: A list of numbers, which json writes one to a line.
NUMBER_LIST = re.compile(r"\[\n\s*([^\[\]{}\"]+?)\n\s*\]")

GRISMS = ("G102", "G141")
#: APT aperture -> pixels read along each side, SIAF name, and SIAF name with a grism if another.
APERTURES: dict[str, tuple[int, str, dict[str, str]]] = {
    "IR": (SIDE_PIX, "IIR", {"G102": "IIRGRSM102", "G141": "IIRGRSM141"}),
    "IR-FIX": (SIDE_PIX, "IIRFIX", {}),
    "IR-UVIS": (SIDE_PIX, "IIRUVIS", {}),
    "IR-UVIS-CENTER": (SIDE_PIX, "IIRUVISCTR", {}),
    "IR-UVIS-FIX": (SIDE_PIX, "IIRUVISFIX", {}),
    "G102-REF": (SIDE_PIX, "IIR102REF", {}),
    "G141-REF": (SIDE_PIX, "IIR141REF", {}),
    **{f"IRSUB{n}": (n, f"IIRS{n}", {}) for n in (64, 128, 256, 512)},
    **{f"IRSUB{n}-FIX": (n, f"IIRS{n}FIX", {}) for n in (64, 128, 256, 512)},
    "GRISM1024": (SIDE_PIX, "IIR1024GRF", dict.fromkeys(GRISMS, "IIR1024G")),
    "GRISM512": (512, "IIR512GRF", dict.fromkeys(GRISMS, "IIR512G")),
    "GRISM256": (256, "IIR256GRF", dict.fromkeys(GRISMS, "IIR256G")),
    "GRISM128": (128, "IIR128GRF", {grism: f"IIR128{grism}" for grism in GRISMS}),
    "GRISM64": (64, "IIR64GRF", {grism: f"IIR64{grism}" for grism in GRISMS}),
}

MEANING = {
    "frame": (
        "pixels of the calibrated full-frame image (FLT), 1014 x 1014, the first pixel's centre "
        "is 1; the SIAF's 1024 frame minus 5"
    ),
    "detector_pix": "columns and rows of that image",
    "apertures": "one entry for each aperture name of APT",
    "readout_pix": "centres of the first and last pixel read: x_min, x_max, y_min, y_max",
    "siaf": "name of the SIAF entry that holds for a direct image",
    "siaf_with": "name of the SIAF entry with that spectral element, where it is another",
    "entries": "one entry for each SIAF aperture",
    "x_ref_pix, y_ref_pix": "reference point; the ideal frame is zero there",
    "v2_arcsec, v3_arcsec": "the reference point in the telescope's (V2, V3) plane",
    "theta_deg": (
        "V3IdlYAngle: degrees from the V3 axis to the aperture's +Y (POS TARG) axis, in the sense "
        "north to east on the sky"
    ),
    "parity": "VIdlParity: -1 where the ideal frame is mirrored against (V2, V3)",
    "x_coef_arcsec, y_coef_arcsec": (
        "polynomial from dx, dy (pixels from the reference point) to the ideal frame, which is the "
        "POS TARG frame, in arcsec; terms 1, dx, dy, dx^2, dx dy, dy^2, ... dy^4"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SiafEntry:
    """What the SIAF says of one aperture; pixels in its own 1024 frame."""

    degree: int
    v2_arcsec: float
    v3_arcsec: float
    theta_deg: float
    parity: int
    x_ref_pix: float
    y_ref_pix: float
    corners_arcsec: tuple[tuple[float, float], ...]
    x_coef: tuple[float, ...]
    y_coef: tuple[float, ...]

    def ideal(self, x_pix: float, y_pix: float) -> tuple[float, float]:
        """Evaluate the polynomial, plainly."""
        dx, dy = x_pix - self.x_ref_pix, y_pix - self.y_ref_pix
        powers = [(n - j, j) for n in range(self.degree + 1) for j in range(n + 1)]
        terms = [dx**i * dy**j for i, j in powers]
        return (
            sum(c * t for c, t in zip(self.x_coef, terms, strict=True)),
            sum(c * t for c, t in zip(self.y_coef, terms, strict=True)),
        )


def find_siaf() -> Path:
    """Find the SIAF in the installed pysiaf, which is not imported."""
    spec = importlib.util.find_spec("pysiaf")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("pysiaf is not installed: python -m pip install pysiaf, or give --siaf FILE")
    return Path(spec.submodule_search_locations[0], "prd_data", "HST", SIAF_NAME)


def fields(record: str, *, skip: int = 0) -> list[float]:
    """Cut the four numbers of 15 columns each out of a record."""
    return [float(record[skip + 15 * k : skip + 15 * (k + 1)]) for k in range(4)]


def read_entry(lines: list[str], name: str) -> SiafEntry:
    """Read one aperture of the SIAF."""
    first = [k for k, line in enumerate(lines) if line[:10].strip() == name]
    starts = [k for k in first if lines[k].rstrip().endswith("CAJ")]
    if len(starts) != 1:
        sys.exit(f"the SIAF has {len(starts)} apertures {name}, expected one")
    start = starts[0]
    first_record, second, third = lines[start : start + 3]
    degree = int(third[2])
    n_terms = (degree + 1) * (degree + 2) // 2
    body = [line.rstrip() for line in lines[start + 3 : start + 6 + n_terms]]
    corners = [fields(line) for line in body if line.endswith("AQ")]
    table = [fields(line) for line in body if line.endswith("AK")]
    if len(corners) != 2 or len(table) != n_terms:
        sys.exit(f"SIAF aperture {name}: {len(corners)} corner and {len(table)} term records")
    # The SIAF's terms of one degree run y^n ... x^n; ours run x^n ... y^n.
    order = [n * (n + 1) // 2 + n - j for n in range(degree + 1) for j in range(n + 1)]
    return SiafEntry(
        degree=degree,
        v2_arcsec=float(first_record[10:25]),
        v3_arcsec=float(first_record[25:40]),
        theta_deg=float(second[45:60]),
        parity=int(third[0:2]),
        x_ref_pix=float(third[3:18]),
        y_ref_pix=float(third[18:33]),
        corners_arcsec=tuple((row[k], row[k + 1]) for row in corners for k in (0, 2)),
        x_coef=tuple(table[k][0] for k in order),
        y_coef=tuple(table[k][1] for k in order),
    )


def check_readout(name: str, entry: SiafEntry, low: float, high: float) -> None:
    """Refuse a readout whose edges are not the corners that the SIAF gives."""
    edges = (low + BORDER_PIX - 0.5, high + BORDER_PIX + 0.5)
    ours = [entry.ideal(x, y) for y in edges for x in edges]
    for corner in entry.corners_arcsec:
        miss = min(((corner[0] - x) ** 2 + (corner[1] - y) ** 2) ** 0.5 for x, y in ours)
        if miss > CORNER_TOLERANCE_ARCSEC:
            sys.exit(f"{name}: a corner of the SIAF is {miss:.3f} arcsec from that of the readout")


def build(siaf: Path) -> str:
    """Make the text of the data file."""
    source = siaf.read_bytes()
    lines = source.decode("ascii").splitlines()
    names = {n for _, plain, other in APERTURES.values() for n in (plain, *other.values())}
    entries = {name: read_entry(lines, name) for name in sorted(names)}
    apertures = {}
    for aperture, (side, plain, other) in APERTURES.items():
        low, high = (SIDE_PIX - side) / 2 + 1.0, (SIDE_PIX + side) / 2
        for name in (plain, *other.values()):
            check_readout(name, entries[name], low, high)
        apertures[aperture] = {
            "readout_pix": [low, high, low, high],
            "siaf": plain,
            "siaf_with": other,
        }
    content = {
        "provenance": {
            "source": f"HST SIAF, file {SIAF_NAME} of the PyPI package pysiaf 0.29.0",
            "version": "1.90",
            "sha256": hashlib.sha256(source).hexdigest(),
            "retrieved": "2026-11-23",
            "license": "BSD-3-Clause (pysiaf, Space Telescope Science Institute)",
            "rebuild": "python tests/tools/rebuild_apertures.py",
        },
        "meaning": MEANING,
        "config": "WFC3/IR",
        "detector_pix": [SIDE_PIX, SIDE_PIX],
        "apertures": apertures,
        "entries": {
            name: {
                "x_ref_pix": round(entry.x_ref_pix - BORDER_PIX, 6),
                "y_ref_pix": round(entry.y_ref_pix - BORDER_PIX, 6),
                "v2_arcsec": entry.v2_arcsec,
                "v3_arcsec": entry.v3_arcsec,
                "theta_deg": entry.theta_deg,
                "parity": entry.parity,
                "x_coef_arcsec": entry.x_coef,
                "y_coef_arcsec": entry.y_coef,
            }
            for name, entry in entries.items()
        },
    }
    text = json.dumps(content, indent=1)
    return (
        NUMBER_LIST.sub(
            lambda found: "[" + ", ".join(word.strip() for word in found[1].split(",")) + "]", text
        )
        + "\n"
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Rebuild aptdither's table of WFC3/IR apertures.")
    parser.add_argument("--siaf", type=Path, help=f"a {SIAF_NAME} (default: the one in pysiaf)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"default: {OUTPUT.name}")
    arguments = parser.parse_args()
    text = build(arguments.siaf or find_siaf())
    arguments.output.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
