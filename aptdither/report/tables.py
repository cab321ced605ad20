"""POS TARGs in other people's formats: ECSV, Markdown, LaTeX, and DS9 regions.

Tables hold what is written to a proposal: three decimals of arcsec. Text from a proposal is made
harmless for the format it goes into.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from aptdither.optics.aperture import Aperture
from aptdither.optics.siaf import sky_from_ideal
from aptdither.planning.evaluation import DitherGroup
from aptdither.report.sanitize import safe_line
from aptdither.types import FloatArray
from aptdither.version import __version__

HEADINGS = ("Visit", "Exposure", "Aperture", "Element", "Δx", "Δy", "POS TARG X", "POS TARG Y")
UNITS = ("", "", "", "", "pixels", "pixels", "arcsec", "arcsec")

_DS9_HEAD = "# Region file format: DS9 version 4.1"
_DS9_COLORS = ("cyan", "magenta", "green", "yellow", "red", "blue")
#: Straight pieces of a footprint's side: distortion bends it by less than a pixel between them.
_SIDE_PIECES = 4
#: Half the width of a pixel: a footprint ends at the outer borders of its pixels.
_HALF_PIX = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sky:
    """Where a target is and how the telescope is rolled.

    Attributes
    ----------
    ra_deg, dec_deg : float
        The target.
    orient_deg : float
        APT's ORIENT: position angle of U3, degrees from north through east.
    """

    ra_deg: float
    dec_deg: float
    orient_deg: float


# --- tables --------------------------------------------------------------------------------------


def ecsv(groups: Sequence[DitherGroup]) -> str:
    """Return a table of POS TARGs as ECSV, which ``astropy.table.QTable`` reads with its units.

    Parameters
    ----------
    groups : sequence of DitherGroup

    Returns
    -------
    str
        One row an exposure; columns ``visit``, ``exposure``, ``aperture``, ``element``,
        ``pattern``, ``dx`` and ``dy`` (pix), ``postarg_x`` and ``postarg_y`` (arcsec). What the
        groups' coverage is stands in the table's ``meta``.
    """
    from astropy.table import Table

    rows = [(group, point) for group in groups for point in group.points]
    table = Table(
        {
            "visit": [safe_line(group.visit or "") for group, _ in rows],
            "exposure": [safe_line(point.number) for _, point in rows],
            "aperture": [group.aperture.name for group, _ in rows],
            "element": [group.element.name for group, _ in rows],
            "pattern": [safe_line(group.choice.name) for group, _ in rows],
            "dx": np.round([point.dx_pix for _, point in rows], 6) + 0.0,
            "dy": np.round([point.dy_pix for _, point in rows], 6) + 0.0,
            "postarg_x": np.round([p.pos_targ.x_arcsec for _, p in rows], 6) + 0.0,
            "postarg_y": np.round([p.pos_targ.y_arcsec for _, p in rows], 6) + 0.0,
        },
        meta={"tool": f"aptdither {__version__}", "groups": [_facts(group) for group in groups]},
    )
    for name, unit in (
        ("dx", "pix"),
        ("dy", "pix"),
        ("postarg_x", "arcsec"),
        ("postarg_y", "arcsec"),
    ):
        table[name].unit = unit
    table[
        "dx"
    ].description = "offset from the base at the aperture's fiducial point, +x along columns"
    table["dy"].description = "offset from the base at the aperture's fiducial point, +y along rows"
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    return text.getvalue()


def _facts(group: DitherGroup) -> dict[str, object]:
    center, worst = group.coverage.center, group.coverage.worst
    return {
        "visit": safe_line(group.visit or ""),
        "aperture": group.aperture.name,
        "element": group.element.name,
        "size": group.region.text,
        "pattern": safe_line(group.choice.name),
        "efficiency_center": round(center.efficiency, 4),
        "efficiency_worst": round(worst.efficiency, 4),
        "packing_of_limit_center": round(center.packing_of_limit, 4),
        "packing_of_limit_worst": round(worst.packing_of_limit, 4),
    }


def markdown(groups: Sequence[DitherGroup]) -> str:
    """Return a Markdown table of POS TARGs, with a sentence on each group's coverage."""
    lines = [
        _markdown_row([_with_unit(*pair) for pair in zip(HEADINGS, UNITS, strict=True)]),
        "|" + "|".join(" --- " if not unit else " ---: " for unit in UNITS) + "|",
    ]
    lines += [_markdown_row(map(_markdown_text, row)) for row in _rows(groups)]
    lines += ["", *(f"- {_markdown_text(sentence)}" for sentence in map(coverage_sentence, groups))]
    return "\n".join(lines) + "\n"


def latex(groups: Sequence[DitherGroup]) -> str:
    """Return a LaTeX ``tabular`` of POS TARGs, with a comment on each group's coverage."""
    columns = "".join("r" if unit else "l" for unit in UNITS)
    heading = " & ".join(_latex_text(text) for text in HEADINGS)
    units = " & ".join(f"({unit})" if unit else "" for unit in UNITS)
    lines = [
        *(f"% {line}" for line in map(coverage_sentence, groups)),
        f"\\begin{{tabular}}{{{columns}}}",
        "\\hline",
        f"{heading} \\\\",
        f"{units} \\\\",
        "\\hline",
        *(" & ".join(_latex_number(cell) for cell in row) + " \\\\" for row in _rows(groups)),
        "\\hline",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def coverage_sentence(group: DitherGroup) -> str:
    """Return one sentence on what a group is and how good its coverage is."""
    center, worst = group.coverage.center, group.coverage.worst
    where = f"Visit {safe_line(group.visit)}: " if group.visit is not None else ""
    return (
        f"{where}{len(group.points)} points of {group.aperture.name} {group.element.name} "
        f"({safe_line(group.choice.name)}), size {group.region.text}: de-aliasing efficiency "
        f"{center.efficiency:.3f} at the centre and {worst.efficiency:.3f} at the worst place; "
        f"packing distance {center.packing_of_limit:.0%} and {worst.packing_of_limit:.0%} of the "
        f"limit (aptdither {__version__})"
    )


def decimals(value: float) -> str:
    """Return three decimals, never minus zero."""
    return f"{round(value, 3) + 0.0:.3f}"


def _rows(groups: Iterable[DitherGroup]) -> Iterator[tuple[str, ...]]:
    for group in groups:
        for point in group.points:
            yield (
                safe_line(group.visit or "-"),
                safe_line(point.number),
                group.aperture.name,
                group.element.name,
                decimals(point.dx_pix),
                decimals(point.dy_pix),
                decimals(point.pos_targ.x_arcsec),
                decimals(point.pos_targ.y_arcsec),
            )


def _with_unit(name: str, unit: str) -> str:
    return f"{name}, {unit}" if unit else name


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_text(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#&])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "Δ": r"$\Delta$",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _latex_number(text: str) -> str:
    """Return a cell; a negative number gets a minus sign, not a hyphen."""
    if re.fullmatch(r"-\d+\.\d+", text):
        return f"${text}$"
    return _latex_text(text)


# --- DS9 regions ---------------------------------------------------------------------------------


def ds9_sky(groups: Sequence[DitherGroup], sky: Sky) -> str:
    """Return a DS9 region file of the exposures' footprints on the sky.

    Parameters
    ----------
    groups : sequence of DitherGroup
    sky : Sky
        The target and the roll; all groups are taken to look at this target.

    Returns
    -------
    str
        A polygon in ICRS for each exposure, its sides bent as distortion bends them, and a cross
        on the target. The roll changes little within a visit and is taken as constant.
    """
    lines = [
        _DS9_HEAD,
        (
            f"# aptdither {__version__}: footprints with ORIENT {sky.orient_deg:g}, target at "
            f"{sky.ra_deg:.6f} {sky.dec_deg:+.6f}"
        ),
        "icrs",
        f"point({sky.ra_deg:.7f},{sky.dec_deg:.7f}) # point=cross text={{target}}",
    ]
    for k, group in enumerate(groups):
        angle = group.aperture.frame.y_axis_angle(sky.orient_deg)
        x, y = group.aperture.ideal_from_pixel(*_footprint(group.aperture).T)
        for point in group.points:
            at = point.pos_targ
            ra, dec = sky_from_ideal(
                x - at.x_arcsec,
                y - at.y_arcsec,
                y_angle_deg=angle,
                ra_deg=sky.ra_deg,
                dec_deg=sky.dec_deg,
            )
            lines.append(
                _polygon(np.stack([ra, dec], axis=-1), 7, _label(group, k, point.number), k)
            )
    return "\n".join(lines) + "\n"


def ds9_detector(groups: Sequence[DitherGroup]) -> str:
    """Return a DS9 region file of the exposures' footprints and the target on the detector.

    Parameters
    ----------
    groups : sequence of DitherGroup
        Shown together, so they should share an aperture.

    Returns
    -------
    str
        In ``image`` coordinates of the calibrated full-frame image of each group's first exposure:
        for every exposure the polygon of sky that it reads, as the first sees it, and a point where
        the target lands in that exposure.
    """
    lines = [
        _DS9_HEAD,
        (
            f"# aptdither {__version__}: pixels of the full-frame image (1014 x 1014, 1-based) of the "
            "first exposure"
        ),
        "image",
    ]
    for k, group in enumerate(groups):
        aperture = group.aperture
        x, y = aperture.ideal_from_pixel(*_footprint(aperture).T)
        first = group.points[0].pos_targ
        for point in group.points:
            at = point.pos_targ
            label = _label(group, k, point.number)
            seen = aperture.pixel_from_ideal(
                x - (at.x_arcsec - first.x_arcsec), y - (at.y_arcsec - first.y_arcsec)
            )
            lines.append(_polygon(np.stack(seen, axis=-1), 3, label, k))
            target = [float(value) for value in aperture.pixel_from_ideal(at.x_arcsec, at.y_arcsec)]
            lines.append(
                f"point({target[0]:.3f},{target[1]:.3f}) # point=cross "
                f"color={_DS9_COLORS[k % len(_DS9_COLORS)]} text={{{label}}}"
            )
    return "\n".join(lines) + "\n"


def _footprint(aperture: Aperture) -> FloatArray:
    """Return the border (K, 2) of what an aperture reads, pixels, counter-clockwise."""
    readout = aperture.readout
    x0, x1 = readout.x_min - _HALF_PIX, readout.x_max + _HALF_PIX
    y0, y1 = readout.y_min - _HALF_PIX, readout.y_max + _HALF_PIX
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    along = np.linspace(0.0, 1.0, _SIDE_PIECES, endpoint=False)[None, :, None]
    sides = corners[:, None] * (1 - along) + np.roll(corners, -1, axis=0)[:, None] * along
    return np.asarray(sides.reshape(-1, 2))


def _polygon(corners: FloatArray, digits: int, label: str, k: int) -> str:
    numbers = ",".join(f"{value:.{digits}f}" for value in corners.ravel())
    return f"polygon({numbers}) # color={_DS9_COLORS[k % len(_DS9_COLORS)]} text={{{label}}}"


def _label(group: DitherGroup, k: int, number: str) -> str:
    """Return a label that DS9's own grammar cannot mistake."""
    words = f"{group.visit or k + 1}-{number} {group.element.name}"
    return re.sub(r"[{}\"'\\;#]", "?", safe_line(words, limit=60))
