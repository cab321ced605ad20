"""POS TARGs in other formats: ECSV, Markdown, LaTeX, and DS9 regions.

Tables hold what is written to a proposal: three decimals of arcsec. Text from a proposal is escaped
for its format.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aptdither.optics.siaf import sky_from_ideal
from aptdither.planning.evaluation import DitherGroup
from aptdither.report.plots.geometry import footprints
from aptdither.report.sanitize import safe_line
from aptdither.report.summary import coverage_sentence, decimals
from aptdither.version import __version__

if TYPE_CHECKING:
    from astropy.table import Table

#: Columns of the tables to paste, with their units.
_COLUMNS = {
    "Visit": "",
    "Exposure": "",
    "Aperture": "",
    "Element": "",
    "Δx": "pixels",
    "Δy": "pixels",
    "POS TARG X": "arcsec",
    "POS TARG Y": "arcsec",
}
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "Δ": r"$\Delta$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
_DS9_HEAD = "# Region file format: DS9 version 4.1"
_DS9_COLORS = ("cyan", "magenta", "green", "yellow", "red", "blue")


class Sky(NamedTuple):
    """A target (ICRS, degrees) and APT's ORIENT: position angle of U3, north through east."""

    ra_deg: float
    dec_deg: float
    orient_deg: float


def ecsv(groups: Sequence[DitherGroup]) -> str:
    """Return :func:`table_of_groups` as ECSV, which ``astropy.table.QTable`` reads with its units."""
    text = io.StringIO()
    table_of_groups(groups).write(text, format="ascii.ecsv")
    return text.getvalue()


def table_of_groups(groups: Sequence[DitherGroup]) -> Table:
    """Return a table of POS TARGs, one row an exposure, with the groups' coverage in its ``meta``.

    Columns ``visit``, ``exposure``, ``aperture``, ``element``, ``pattern``, ``dx`` and ``dy`` (pix),
    ``postarg_x`` and ``postarg_y`` (arcsec).
    """
    from astropy.table import Table

    rows = [
        (
            safe_line(group.visit or ""),
            safe_line(point.number),
            group.aperture.name,
            group.element.name,
            safe_line(group.choice.name),
            round(point.dx_pix, 6),
            round(point.dy_pix, 6),
            *point.pos_targ.xy_arcsec,
        )
        for group in groups
        for point in group.points
    ]
    units = dict.fromkeys(("visit", "exposure", "aperture", "element", "pattern"), "")
    units |= {"dx": "pix", "dy": "pix", "postarg_x": "arcsec", "postarg_y": "arcsec"}
    meta = {"tool": f"aptdither {__version__}"}
    table = Table(rows=rows or None, names=list(units), units=units, meta=meta)
    table.meta["groups"] = [
        {
            "visit": safe_line(group.visit or ""),
            "aperture": group.aperture.name,
            "element": group.element.name,
            "size": group.region.text,
            "pattern": safe_line(group.choice.name),
            **{
                f"{name}_{place}": round(getattr(getattr(group.coverage, place), name), 4)
                for name in ("efficiency", "packing_of_limit")
                for place in ("center", "worst")
            },
        }
        for group in groups
    ]
    for name, along in (("dx", "columns"), ("dy", "rows")):
        what = "offset from the base at the aperture's fiducial point"
        table[name].description = f"{what}, +{name[1]} along {along}"
    return table


def markdown(groups: Sequence[DitherGroup]) -> str:
    """Return a Markdown table of POS TARGs, with a sentence on each group's coverage."""

    def escaped(text: str) -> str:
        return re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", text)

    heads = [f"{name}, {unit}" if unit else name for name, unit in _COLUMNS.items()]
    rules = ["---:" if unit else "---" for unit in _COLUMNS.values()]
    rows = [map(escaped, row) for row in _rows(groups)]
    lines = [f"| {' | '.join(cells)} |" for cells in (heads, rules, *rows)]
    lines += ["", *(f"- {escaped(coverage_sentence(group))}" for group in groups)]
    return "\n".join(lines) + "\n"


def latex(groups: Sequence[DitherGroup]) -> str:
    """Return a LaTeX ``tabular`` of POS TARGs, with a comment on each group's coverage."""

    def escaped(text: str) -> str:
        if re.fullmatch(r"-\d+\.\d+", text):
            return f"${text}$"  # a minus sign, not a hyphen
        return "".join(_LATEX.get(character, character) for character in text)

    def line(cells: Iterable[str]) -> str:
        return " & ".join(map(escaped, cells)) + r" \\"

    lines = [
        *(f"% {coverage_sentence(group)}" for group in groups),
        rf"\begin{{tabular}}{{{''.join('r' if unit else 'l' for unit in _COLUMNS.values())}}}",
        r"\hline",
        line(_COLUMNS),
        line(unit and f"({unit})" for unit in _COLUMNS.values()),
        r"\hline",
        *map(line, _rows(groups)),
        r"\hline",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _rows(groups: Iterable[DitherGroup]) -> list[tuple[str, ...]]:
    return [
        (
            safe_line(group.visit or "-"),
            safe_line(point.number),
            group.aperture.name,
            group.element.name,
            decimals(point.dx_pix),
            decimals(point.dy_pix),
            *point.pos_targ.written,
        )
        for group in groups
        for point in group.points
    ]


def apt_text(groups: Sequence[DitherGroup]) -> str:
    """Return POS TARG special requirements in text form, by visit and exposure.

    Each exposure's line ends with what to paste into its Special Requirements: ``POS TARG X,Y`` in
    arcsec (Phase II Proposal Instructions 6.3.3). An exposure that several groups hold is listed
    once.
    """
    visits: dict[str, dict[str, str]] = {}
    for group in groups:
        exposures = visits.setdefault(safe_line(group.visit or ""), {})
        for point in group.points:
            exposures[safe_line(point.number)] = f"POS TARG {','.join(point.pos_targ.written)}"
    lines: list[str] = []
    for visit, exposures in visits.items():
        lines += [f"Visit {visit}"] if visit else []
        # Groups may alternate: numbers in their order, other names after them as they come.
        numbers = sorted(exposures, key=lambda name: int(name) if name.isdecimal() else math.inf)
        lines += [f"Exposure {number}: {exposures[number]}" for number in numbers]
    return "\n".join(lines) + "\n"


def ds9_sky(groups: Sequence[DitherGroup], sky: Sky) -> str:
    """Return a DS9 region file of the exposures' footprints on the sky, all of one target.

    A polygon in ICRS for each exposure, its sides bent as distortion bends them, and a cross on the
    target. The roll changes little within a visit and is taken as constant.
    """
    orient, target = f"{sky.orient_deg:g}", f"{sky.ra_deg:.6f} {sky.dec_deg:+.6f}"
    lines = [
        _DS9_HEAD,
        f"# aptdither {__version__}: footprints with ORIENT {orient}, target at {target}",
        "icrs",
        f"point({sky.ra_deg:.7f},{sky.dec_deg:.7f}) # point=cross text={{target}}",
    ]
    for k, group in enumerate(groups):
        angle = group.aperture.frame.y_axis_angle(sky.orient_deg)
        for point, border in product(group.points, footprints(group.aperture)):
            polygon = sky_from_ideal(
                *(border - point.pos_targ.xy_arcsec).T,
                y_angle_deg=angle,
                ra_deg=sky.ra_deg,
                dec_deg=sky.dec_deg,
            )
            lines.append(_region("polygon", polygon, 7, group, k, point.number))
    return "\n".join(lines) + "\n"


def ds9_detector(groups: Sequence[DitherGroup]) -> str:
    """Return a DS9 region file of the exposures' footprints and the target on the detector.

    In ``image`` coordinates of the calibrated full-frame image of each group's first exposure, of
    two chips that with the reference point: for every exposure and chip the polygon of sky that it
    sees, as the first sees it, and a cross where the target lands in that exposure. The groups are
    shown together, so they should share an aperture.
    """
    lines = [
        _DS9_HEAD,
        f"# aptdither {__version__}: pixels (1-based) of the first exposure's full-frame image",
        "image",
    ]
    for k, group in enumerate(groups):
        for point in group.points:
            moved = (point.pos_targ - group.points[0].pos_targ).xy_arcsec
            target = group.aperture.pixel_from_ideal(*point.pos_targ.xy_arcsec)
            for border in footprints(group.aperture):
                polygon = group.aperture.pixel_from_ideal(*(border - moved).T)
                lines.append(_region("polygon", polygon, 3, group, k, point.number))
            lines.append(_region("point", target, 3, group, k, point.number))
    return "\n".join(lines) + "\n"


def _region(
    kind: str, at: Iterable[Any], digits: int, group: DitherGroup, k: int, number: str
) -> str:
    """Return a region of group `k` with a label that DS9's grammar cannot misread."""
    numbers = ",".join(f"{value:.{digits}f}" for value in np.stack(list(at), axis=-1).ravel())
    words = f"{group.visit or k + 1}-{number} {group.element.name}"
    label = re.sub(r"[{}\"'\\;#]", "?", safe_line(words, limit=60))
    cross = "point=cross " if kind == "point" else ""
    return f"{kind}({numbers}) # {cross}color={_DS9_COLORS[k % len(_DS9_COLORS)]} text={{{label}}}"
