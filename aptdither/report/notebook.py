"""Faces of a result in a notebook: HTML, an astropy table, a picture on given axes.

The HTML is made of macros of the template ``parts.html.j2``, which the page is made of too. Everything
printed in them is escaped, and characters that could act on a reader's machine are made visible.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup

from aptdither.dither.coverage import Coverage
from aptdither.dither.pattern import Pattern
from aptdither.dither.phases import wrap
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.plan import Plan
from aptdither.report.ascii_map import PIXEL_START
from aptdither.report.sanitize import safe_text
from aptdither.report.summary import (
    FIGURES,
    LEGEND,
    block_name,
    counted,
    decimals,
    facts,
    figures,
    findings_of,
    has_old_numbers,
    has_old_postargs,
    headline,
    joined_name,
    location_of,
    overview,
)
from aptdither.types import FloatArray

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes


def part_of(value: object) -> str:
    """Return a plan, group, pattern or coverage as a piece of HTML.

    Raises
    ------
    TypeError
        If it is of another kind.
    """
    parts: Any = environment().get_template("parts.html.j2").module
    match value:
        case Plan():
            shown = parts.plan(value)
        case DitherGroup():
            shown = parts.group(value)
        case Pattern():
            shown = parts.pattern(value)
        case Coverage():
            shown = parts.coverage(value)
        case _:
            raise TypeError(f"a {type(value).__name__} has no HTML")
    return f'<div class="aptdither">{shown}</div>'


def table_of(value: object) -> Table:
    """Return a plan, group, pattern or coverage as an astropy table.

    Raises
    ------
    TypeError
        If it is of another kind.
    """
    from astropy.table import Table

    from aptdither.report.tables import table_of_groups

    match value:
        case Plan():
            return table_of_groups(value.groups)
        case DitherGroup():
            return table_of_groups([value])
        case Pattern():
            unit = "arcsec" if value.frame == "postarg" else "pix"
            words = {"name": value.name, "source": value.source}
            return Table(np.array(value.points), names=["x", "y"], units=[unit] * 2, meta=words)
        case Coverage():
            field = value.field
            columns = {"x": field.x_pix, "y": field.y_pix, "chip": field.chip, "view": field.view}
            columns |= {"efficiency": value.efficiency, "packing": value.packing}
            return Table(columns, units=dict.fromkeys(("x", "y", "packing"), "pix"))
    raise TypeError(f"a {type(value).__name__} has no table")


def plot(
    group: DitherGroup, kind: str, whole: Callable[[int], Coverage], ax: Axes | None = None
) -> Axes:
    """Draw a group on axes, of a new pyplot figure when left out, and return them.

    `whole` gives its coverage on a grid over the whole aperture.

    Raises
    ------
    ValueError
        If there is no such picture.
    """
    from aptdither.report.plots import maps, pattern, sky

    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots()
    match kind:
        case "phases":
            pattern.draw_phases(ax, group)
        case "offsets":
            pattern.draw_offsets(ax, group)
        case "sky":
            sky.draw_sky(ax, [group])
        case "efficiency" | "packing":
            field_map = maps.maps_of(group, whole(maps.GRID))[kind]
            maps.draw_map(ax, field_map, maps.levels_of([field_map.values]))
        case _:
            raise ValueError(f"{kind!r}: allowed: phases, offsets, efficiency, packing, sky")
    return ax


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Return the templates with all that they use."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(page_file),
        autoescape=True,
        finalize=_made_safe,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(
        block_name=lambda group: block_name([group]),
        counted=counted,
        decimals=decimals,
        dots=_dots,
        facts=lambda group: facts(group, details=True),
        figures=figures,
        findings_of=findings_of,
        has_old_numbers=has_old_numbers,
        has_old_postargs=has_old_postargs,
        headline=headline,
        joined_name=joined_name,
        location=location_of,
        overview=overview,
    )
    made.globals.update(all_figures=FIGURES, legend=LEGEND)
    return made


def page_file(name: str) -> str:
    """Return the text of a template or a style sheet beside this module."""
    return files("aptdither").joinpath("report", name).read_text(encoding="utf-8")


def _made_safe(value: Any) -> Any:
    """Return a value as the template prints it: no characters that could act."""
    return value if isinstance(value, Markup) else safe_text(str(value))


def _dots(phases: FloatArray) -> list[list[str]]:
    """Return phases (N, 2) as places in a square of side 1 with y downward, as text."""
    at = wrap(np.asarray(phases) - PIXEL_START)
    return [[decimals(x), decimals(1 - y)] for x, y in at]
