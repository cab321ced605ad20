"""Rebuild aptdither/data/*-apertures.json from the HST SIAF that the pysiaf package carries.

Usage, from the top of the checkout, with pysiaf installed (it is found, never imported: its import
asks the network which version is newest)::

    python -m pip install pysiaf
    python tests/tools/rebuild_apertures.py

The same SIAF gives the same bytes. ``--siaf FILE`` reads another file, ``--output DIR`` writes
elsewhere.

A SIAF record has fixed columns of 15 characters and ends with its type. Of each aperture are used:
the first CAJ record (V2 and V3 of the reference point), the second (V3IdlYAngle), the third (parity;
degree of the polynomial; reference pixel x, y), the two AQ records (the four corners in the ideal frame)
and the AK records: forward x, forward y, inverse x, inverse y, one line per term in the order 1, y,
x, y², xy, x², … The inverse is left behind: over the detector it is wrong by up to 0.24 pixel on WFC3
and 5 on ACS/WFC.

WFC3/IR: each aperture has its own polynomial. The other detectors: the polynomials are those of the
rows of the chips (IUVIS1, IUVIS2, JWFC1, JWFC2, JSBC), and an aperture's row gives its reference point
and the direction of its POS TARG axes (V3IdlYAngle), with which the telescope is commanded.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

SIAF_NAME = "siaf.dat-1.90"
DATA = Path(__file__).resolve().parents[2] / "aptdither" / "data"

#: The SIAF's corners are those of the outermost pixels, to a quarter of a pixel, in arcsec.
CORNER_TOLERANCE_ARCSEC = 0.03
#: What rows of the SIAF are off their chip's, arcsec, but for the one that is wrong.
REFERENCE_TOLERANCE_ARCSEC = 0.0011

#: A list of numbers, which json writes one to a line.
NUMBER_LIST = re.compile(r"\[\n\s*([^\[\]{}\"]+?)\n\s*\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What is taken of one detector.

    ``border_pix`` (left, bottom) is what the SIAF counts and the calibrated image (FLT) does not
    have. ``chips`` is chip number -> name and SIAF row. ``full`` and ``parts`` are APT aperture ->
    chip of the reference point and SIAF row; full ones read all of every chip (those that CRDS has
    in the group FULLFRAME_4AMP for WFC3/UVIS, with a full readout in the ACS Instrument Handbook's
    table of WFC apertures), the others what the corners of the row enclose.
    """

    config: str
    file: str
    image_pix: tuple[int, int]
    border_pix: tuple[int, int]
    chips: dict[int, tuple[str, str]]
    full: dict[str, tuple[int, str]]
    parts: dict[str, tuple[int, str]]
    siaf_with: dict[str, dict[str, str]]
    refused: dict[str, str]
    faults: list[str]


GRISMS = ("G102", "G141")
SIDE_PIX = 1014
#: WFC3/IR: APT aperture -> pixels read along each side, SIAF name, SIAF name with a grism if another.
IR_APERTURES: dict[str, tuple[int, str, dict[str, str]]] = {
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

_QUAD = (
    "the quadrant of a quad filter decides the place; name the subarray of the quadrant instead: "
    "UVIS1-2K2A-SUB, UVIS1-2K2B-SUB, UVIS2-2K2C-SUB or UVIS2-2K2D-SUB"
)
_WFC_PARTS = {"A": 1, "B": 1, "C": 2, "D": 2}
TABLES = (
    Table(
        config="WFC3/UVIS",
        file="wfc3uvis-apertures.json",
        image_pix=(4096, 2051),
        border_pix=(25, 0),
        chips={1: ("UVIS1", "IUVIS1"), 2: ("UVIS2", "IUVIS2")},
        full={
            "UVIS": (1, "IUVIS"),
            "UVIS-FIX": (1, "IUVISFIX"),
            "UVIS-CENTER": (2, "IUVISCTR"),
            "UVIS1": (1, "IUVIS1"),
            "UVIS1-FIX": (1, "IUVIS1FIX"),
            "UVIS2": (2, "IUVIS2"),
            "UVIS2-FIX": (2, "IUVIS2FIX"),
            "UVIS-IR-FIX": (1, "IUVISIRFIX"),
            "G280-REF": (1, "IUVIS300RF"),
            "UVIS2-C512C-CTE": (2, "IUV2C5HCTE"),
            "UVIS2-C1K1C-CTE": (2, "IUV2C1KCTE"),
        },
        parts={
            "UVIS1-2K4-SUB": (1, "IUV1_2K4"),
            "UVIS2-2K4-SUB": (2, "IUV2_2K4"),
            "UVIS1-2K2A-SUB": (1, "IUV1CA_2K2"),
            "UVIS1-2K2B-SUB": (1, "IUV1CB_2K2"),
            "UVIS2-2K2C-SUB": (2, "IUV2CC_2K2"),
            "UVIS2-2K2D-SUB": (2, "IUV2CD_2K2"),
            "UVIS2-C1K1C-SUB": (2, "IUV2CC_1K1"),
            "UVIS2-M1K1C-SUB": (2, "IUV2MC_1K1"),
            "UVIS1-C512A-SUB": (1, "IUV1CA_512"),
            "UVIS1-C512B-SUB": (1, "IUV1CB_512"),
            "UVIS2-C512C-SUB": (2, "IUV2CC_512"),
            "UVIS2-C512D-SUB": (2, "IUV2CD_512"),
            "UVIS1-M512-SUB": (1, "IUV1M1_512"),
            "UVIS2-M512-SUB": (2, "IUV2M1_512"),
            "UVIS2-M512C-SUB": (2, "IUV2MC_512"),
        },
        siaf_with={"UVIS": {"G280": "IUVISPRSM"}},
        refused=dict.fromkeys(("UVIS-QUAD", "UVIS-QUAD-FIX", "UVIS-QUAD-SUB"), _QUAD),
        faults=[
            (
                "IUV1_2K4, IUV2_2K4, IUV1M1_512 and IUV2M1_512 carry the polynomial and V3IdlYAngle of "
                "another quadrant. Here their pixels are those of the chip's row. Their V3IdlYAngle is "
                "kept, since POS TARGs are turned with it: it is 0.17 to 0.28 degree off the columns, "
                "0.03 pixel in a move of 5 pixels."
            ),
            (
                "IUVISIRFIX has a reference pixel 4.8 pixels from where its V2, V3 (those of IIRFIX, "
                "its purpose) fall on IUVIS1: here the pixel is the one of V2, V3."
            ),
        ],
    ),
    Table(
        config="ACS/WFC",
        file="acswfc-apertures.json",
        image_pix=(4096, 2048),
        border_pix=(24, 0),
        chips={1: ("WFC1", "JWFC1"), 2: ("WFC2", "JWFC2")},
        full={
            "WFC": (1, "JWFC"),
            "WFC-FIX": (1, "JWFCFIX"),
            "WFCENTER": (2, "JWFCENTER"),
            "WFC1": (1, "JWFC1"),
            "WFC1-FIX": (1, "JWFC1FIX"),
            "WFC2": (2, "JWFC2"),
            "WFC2-FIX": (2, "JWFC2FIX"),
            "WFC1-CTE": (1, "JWFC1CTE"),
        },
        parts={
            "WFC1-512": (1, "JWFC1S512"),
            "WFC1-1K": (1, "JWFC1S1K"),
            "WFC1-2K": (1, "JWFC1S2K"),
            "WFC2-2K": (2, "JWFC2S2K"),
            **{
                f"WFC{chip}{amplifier}-{size}": (chip, f"JWFC{chip}{amplifier}{size}")
                for amplifier, chip in _WFC_PARTS.items()
                for size in ("512", "1K", "2K")
            },
        },
        siaf_with={},
        refused={},
        faults=[
            (
                "JWFC differs from JWFC1 by up to 0.75 pixel in place, and 0.002 pixel in a move of 10 "
                "pixels: here the pixels of every aperture are those of JWFC1 and JWFC2."
            ),
            (
                "The corners of the WFC1A to WFC2D subarrays include overscan: here their columns are "
                "those of the amplifier's half of the chip."
            ),
        ],
    ),
    Table(
        config="ACS/SBC",
        file="acssbc-apertures.json",
        image_pix=(1024, 1024),
        border_pix=(0, 0),
        chips={1: ("SBC", "JSBC")},
        full={"SBC": (1, "JSBC"), "SBC-FIX": (1, "JSBCFIX"), "SBC-LODARK": (1, "JSBCLODARK")},
        parts={},
        siaf_with={},
        refused={},
        faults=[
            (
                "The V3IdlYAngle of JSBCLODARK is 0.24 degree off the columns of JSBC: kept, since POS "
                "TARGs are turned with it."
            ),
        ],
    ),
)

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

    def pixel(self, x_arcsec: float, y_arcsec: float) -> tuple[float, float]:
        """Invert the polynomial, plainly: secant steps on its slopes at each place."""
        x, y = self.x_ref_pix, self.y_ref_pix
        for _ in range(20):
            at_x, at_y = self.ideal(x, y)
            (east_x, east_y), (north_x, north_y) = self.ideal(x + 1, y), self.ideal(x, y + 1)
            xx, yx, xy, yy = east_x - at_x, east_y - at_y, north_x - at_x, north_y - at_y
            miss_x, miss_y = x_arcsec - at_x, y_arcsec - at_y
            determinant = xx * yy - xy * yx
            x += (yy * miss_x - xy * miss_y) / determinant
            y += (xx * miss_y - yx * miss_x) / determinant
        return x, y

    def v2v3(self, x_arcsec: float, y_arcsec: float) -> tuple[float, float]:
        """Turn a position in the ideal frame into (V2, V3)."""
        sine, cosine = (
            math.sin(math.radians(self.theta_deg)),
            math.cos(math.radians(self.theta_deg)),
        )
        return (
            self.v2_arcsec + self.parity * x_arcsec * cosine + y_arcsec * sine,
            self.v3_arcsec - self.parity * x_arcsec * sine + y_arcsec * cosine,
        )

    def ideal_of_v2v3(self, v2_arcsec: float, v3_arcsec: float) -> tuple[float, float]:
        """Turn (V2, V3) into a position in the ideal frame."""
        sine, cosine = (
            math.sin(math.radians(self.theta_deg)),
            math.cos(math.radians(self.theta_deg)),
        )
        v2, v3 = v2_arcsec - self.v2_arcsec, v3_arcsec - self.v3_arcsec
        return self.parity * (v2 * cosine - v3 * sine), v2 * sine + v3 * cosine


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
    edges = (low + 4.5, high + 5.5)
    ours = [entry.ideal(x, y) for y in edges for x in edges]
    for corner in entry.corners_arcsec:
        miss = min(((corner[0] - x) ** 2 + (corner[1] - y) ** 2) ** 0.5 for x, y in ours)
        if miss > CORNER_TOLERANCE_ARCSEC:
            sys.exit(f"{name}: a corner of the SIAF is {miss:.3f} arcsec from that of the readout")


def find_readout(table: Table, name: str, entry: SiafEntry) -> list[float]:
    """Find the pixels read from the corners that the SIAF gives, without overscan."""
    corners = [entry.pixel(*corner) for corner in entry.corners_arcsec]
    result = []
    for axis in (0, 1):
        values = [corner[axis] - table.border_pix[axis] for corner in corners]
        edges = [round(value - 0.5) + 0.5 for value in values]
        if max(abs(v - e) for v, e in zip(values, edges, strict=True)) > 0.15:
            sys.exit(f"{name}: corners of the SIAF are not corners of pixels: {values}")
        last = table.image_pix[axis]
        low, high = max(min(edges) + 0.5, 1.0), min(max(edges) - 0.5, float(last))
        half = last / 2
        if axis == 0 and half < high - low + 1 < last:  # overscan of an amplifier's half
            low, high = (1.0, half) if name[4] in "AC" else (half + 1, float(last))
        result += [low, high]
    return result


def frame_of(table: Table, row: str, entry: SiafEntry, chip: SiafEntry) -> dict[str, float]:
    """Return reference point and frame of an aperture, the point exactly where its chip has it.

    V2 and V3 of the rows are rounded to 1e-4 arcsec: here they are those of the row's pixel on the
    chip. Where pixel and V2, V3 contradict each other, V2 and V3 hold, which point the telescope.
    """
    x, y = entry.x_ref_pix, entry.y_ref_pix
    v2, v3 = chip.v2v3(*chip.ideal(x, y))
    if math.hypot(v2 - entry.v2_arcsec, v3 - entry.v3_arcsec) > REFERENCE_TOLERANCE_ARCSEC:
        if not any(row in fault for fault in table.faults):
            sys.exit(f"{row}: its reference pixel is not where its V2 and V3 are")
        x, y = chip.pixel(*chip.ideal_of_v2v3(entry.v2_arcsec, entry.v3_arcsec))
        x, y = round(x, 3), round(y, 3)
        v2, v3 = chip.v2v3(*chip.ideal(x, y))
    return {
        "x_ref_pix": round(x - table.border_pix[0], 6),
        "y_ref_pix": round(y - table.border_pix[1], 6),
        "v2_arcsec": v2,
        "v3_arcsec": v3,
        "theta_deg": entry.theta_deg,
        "parity": entry.parity,
    }


def coefficients(entry: SiafEntry) -> dict[str, tuple[float, ...]]:
    """Return the polynomial as it is stored."""
    return {"x_coef_arcsec": entry.x_coef, "y_coef_arcsec": entry.y_coef}


def build_ir(lines: list[str], provenance: dict[str, str]) -> str:
    """Make the text of the data file of WFC3/IR."""
    names = {n for _, plain, other in IR_APERTURES.values() for n in (plain, *other.values())}
    entries = {name: read_entry(lines, name) for name in sorted(names)}
    apertures = {}
    for aperture, (side, plain, other) in IR_APERTURES.items():
        low, high = (SIDE_PIX - side) / 2 + 1.0, (SIDE_PIX + side) / 2
        for name in (plain, *other.values()):
            check_readout(name, entries[name], low, high)
        apertures[aperture] = {
            "readout_pix": [low, high, low, high],
            "siaf": plain,
            "siaf_with": other,
        }
    return as_text(
        {
            "provenance": provenance,
            "meaning": MEANING,
            "config": "WFC3/IR",
            "detector_pix": [SIDE_PIX, SIDE_PIX],
            "apertures": apertures,
            "entries": {
                name: {
                    "x_ref_pix": round(entry.x_ref_pix - 5, 6),
                    "y_ref_pix": round(entry.y_ref_pix - 5, 6),
                    "v2_arcsec": entry.v2_arcsec,
                    "v3_arcsec": entry.v3_arcsec,
                    "theta_deg": entry.theta_deg,
                    "parity": entry.parity,
                    **coefficients(entry),
                }
                for name, entry in entries.items()
            },
        }
    )


def build(table: Table, lines: list[str], provenance: dict[str, str]) -> str:
    """Make the text of the data file of a detector whose chips have polynomials of their own."""
    chips = {number: read_entry(lines, row) for number, (_, row) in table.chips.items()}
    entries: dict[str, dict[str, object]] = {}
    for number, (_, row) in table.chips.items():
        frame = frame_of(table, row, chips[number], chips[number])
        entries[row] = {**frame, **coefficients(chips[number])}
    apertures: dict[str, dict[str, object]] = {}
    for name, (number, row) in {**table.full, **table.parts}.items():
        other = table.siaf_with.get(name, {})
        for each in (row, *other.values()):
            entry = read_entry(lines, each)
            entries.setdefault(each, {**frame_of(table, each, entry, chips[number])})
        apertures[name] = {"siaf": row, "siaf_with": other, "chip": number}
        if name in table.parts:
            apertures[name]["readout_pix"] = find_readout(table, name, read_entry(lines, row))
    columns, rows = table.image_pix
    meaning = MEANING | {
        "frame": (
            f"pixels of the calibrated image (FLT) of a chip, {columns} x {rows}, the first pixel's "
            f"center is 1; the SIAF's x minus {table.border_pix[0]}"
        ),
        "readout_pix": (
            "centers of the first and last pixel read: x_min, x_max, y_min, y_max; without it all "
            "of every chip is read"
        ),
        "chips": "name, number and SIAF entry of each chip; only these entries have a polynomial",
        "chip": "number of the chip on which the reference point lies",
        "refused": "apertures of APT that are not supported, and why",
        "faults": "what the SIAF has wrong, and what is done about it",
        "v2_arcsec, v3_arcsec": (
            "the reference point in the telescope's (V2, V3) plane, by the polynomial of the chip: "
            "within 0.0011 arcsec of the SIAF's"
        ),
    }
    return as_text(
        {
            "provenance": provenance,
            "meaning": {key: text.replace("centre", "center") for key, text in meaning.items()},
            "config": table.config,
            "detector_pix": list(table.image_pix),
            "faults": table.faults,
            "refused": table.refused,
            "chips": [
                {"name": name, "number": number, "siaf": row}
                for number, (name, row) in table.chips.items()
            ],
            "apertures": apertures,
            "entries": dict(sorted(entries.items())),
        }
    )


def as_text(content: dict[str, object]) -> str:
    """Write JSON with each list of numbers in one line."""
    text = json.dumps(content, indent=1)
    return (
        NUMBER_LIST.sub(
            lambda found: "[" + ", ".join(word.strip() for word in found[1].split(",")) + "]", text
        )
        + "\n"
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Rebuild aptdither's tables of apertures.")
    parser.add_argument("--siaf", type=Path, help=f"a {SIAF_NAME} (default: the one in pysiaf)")
    parser.add_argument("--output", type=Path, default=DATA, help="directory; default: the data's")
    arguments = parser.parse_args()
    source = (arguments.siaf or find_siaf()).read_bytes()
    lines = source.decode("ascii").splitlines()
    provenance = {
        "source": f"HST SIAF, file {SIAF_NAME} of the PyPI package pysiaf 0.29.0",
        "version": "1.90",
        "sha256": hashlib.sha256(source).hexdigest(),
        "retrieved": "2026-11-23",
        "license": "BSD-3-Clause (pysiaf, Space Telescope Science Institute)",
        "rebuild": "python tests/tools/rebuild_apertures.py",
    }
    texts = {"wfc3ir-apertures.json": build_ir(lines, provenance)}
    texts |= {table.file: build(table, lines, provenance) for table in TABLES}
    for file, text in texts.items():
        (arguments.output / file).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
