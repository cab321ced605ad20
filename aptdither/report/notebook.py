"""Faces of a result in a notebook: HTML, an astropy table, a picture on given axes.

The HTML is made of macros of the template ``parts.html.j2``, which the page is made of too. Everything
printed in them is escaped, and characters that could act on a reader's machine are made visible.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import jinja2
import numpy as np
from markupsafe import Markup

from aptdither.dither.coverage import Coverage
from aptdither.dither.pattern import Pattern
from aptdither.dither.phases import wrap
from aptdither.planning.evaluation import DitherGroup
from aptdither.planning.plan import Plan
from aptdither.report import summary
from aptdither.report.ascii_map import PIXEL_START
from aptdither.report.sanitize import safe_text
from aptdither.types import FloatArray

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

_MACROS = {Plan: "plan", DitherGroup: "group", Pattern: "pattern", Coverage: "coverage"}


def part_of(value: object) -> str:
    """Return a plan, group, pattern or coverage as a piece of HTML."""
    if type(value) not in _MACROS:
        raise TypeError(f"a {type(value).__name__} has no HTML")
    macro = getattr(environment().get_template("parts.html.j2").module, _MACROS[type(value)])
    return f'<div class="aptdither">{macro(value)}</div>'


def table_of(value: object) -> Table:
    """Return a plan, group, pattern or coverage as an astropy table."""
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
        # Characters that could act are made visible in all that is printed.
        finalize=lambda one: one if isinstance(one, Markup) else safe_text(str(one)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(vars(summary), dots=_dots)
    made.globals["words"] = summary
    return made


def page_file(name: str) -> str:
    """Return the text of a template or a style sheet beside this module."""
    return files("aptdither").joinpath("report", name).read_text(encoding="utf-8")


def _dots(phases: FloatArray) -> list[list[str]]:
    """Return phases (N, 2) as places in a square of side 1 with y downward, as text."""
    at = wrap(np.asarray(phases) - PIXEL_START)
    return [[summary.decimals(x), summary.decimals(1 - y)] for x, y in at]
