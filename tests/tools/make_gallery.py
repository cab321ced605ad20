"""Make the galleries of examples/: their pages with today's numbers, and their pictures.

Run ``python -m tests.tools.make_gallery`` after the catalog or a picture has changed. Every picture
is made by the command that its page shows; ``tests/test_gallery.py`` runs them all and compares.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aptdither.dither.catalog import load_catalog
from aptdither.dither.coverage import Coverage, evaluate
from aptdither.dither.views import View
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.optics.pointing_fit import fit_dithers, read_measurements
from aptdither.planning.choice import PatternChoice
from aptdither.planning.evaluation import STAR_SNR, Evaluator, reconstruct_group
from aptdither.types import Region, Setup
from tests.readme import printed

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
GALLERY = EXAMPLES / "gallery" / "README.md"
WORKED = EXAMPLES / "from-table-2" / "README.md"
IMAGES = EXAMPLES / "reconstruction" / "README.md"
SIZES = range(2, 10)
#: Pixels per inch: legible on a page, and small in a repository.
DPI = 90
#: The region that the wide patterns are designed for: the central half of the detector.
WIDE_SIZE_PIX = 507


@dataclass(frozen=True)
class Command:
    """A command that makes a picture."""

    words: tuple[str, ...]

    @property
    def picture(self) -> str:
        """Name of the picture, beside its page."""
        return self.words[self.words.index("-o") + 1]

    def arguments(self, output: Path) -> list[str]:
        """Return the arguments, with another place for the picture."""
        words = list(self.words)
        words[words.index("-o") + 1] = str(output)
        return words


def commands(page: Path) -> Iterator[Command]:
    """Yield the commands that a page shows."""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("    aptdither plot "):
            yield Command(words=tuple(shlex.split(line)[1:]))


def gallery_page() -> str:
    """Return the text of the gallery."""
    parts = [
        "# Gallery: tight-2 to tight-9 and wide-2 to wide-9",
        "",
        "The patterns of this project, designed by the rules of ISR WFC3 2016-14, sections 5 and 6",
        "(they are not the patterns of that report). Tight ones are for the whole field, wide ones for",
        f"the central half, a disc of {WIDE_SIZE_PIX} pixels. Aperture IR; F160W for 2 and 3 points,",
        "F125W beyond. Left: offsets on the pixel grid; middle: where the exposures fall within one",
        "pixel, with outlines of where distortion moves them over the region; right: the POS TARGs.",
        "",
        "| pattern | E center | E worst | d/d_N center | d/d_N worst | closest pair, pixels | extent |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_gallery_row(name, n) for name, n in _names()),
        "",
        "## How close to the limit",
        "",
        "The tight patterns of each detector, at a signal to noise of 10 per exposure. Above, the efficiency",
        "that is lost; below, the packing distance over its maximum. From circles to squares is the cost of",
        "rounding POS TARGs to 0.001 arcsec, from circles to triangles that of distortion; bars are bounds,",
        "which need not be within reach.",
        "",
        f"    aptdither plot limits --dpi {DPI} -o limits.png",
        "",
        "![Loss of efficiency and packing distance against N for three detectors](limits.png)",
        "",
    ]
    for name, n in _names():
        size = "" if name.startswith("tight") else f" --size {WIDE_SIZE_PIX}pix"
        parts += [
            f"## {name}",
            "",
            (
                f"    aptdither plot layout --pattern {name} --element {_element(n)}{size}"
                f" --dpi {DPI} -o {name}.png"
            ),
            "",
            f"![{name}: offsets, phases and POS TARGs]({name}.png)",
            "",
        ]
    parts += [
        "## Two chips",
        "",
        "The patterns of WFC3/UVIS and ACS/WFC, one of each as a picture, and coverage over both chips.",
        "",
        *(
            line
            for config, element in (("WFC3/UVIS", "F438W"), ("ACS/WFC", "F606W"))
            for line in (printed("patterns", "--config", config, "--element", element), "")
        ),
    ]
    for kind, name, element in CCD_PICTURES:
        parts += [
            f"    aptdither plot {kind} --pattern {name} --element {element} --dpi {DPI} -o {name}-{kind}.png",
            "",
            f"![{name}: {kind}]({name}-{kind}.png)",
            "",
        ]
    return "\n".join(parts)


def _names() -> Iterator[tuple[str, int]]:
    for kind in ("tight", "wide"):
        for n in SIZES:
            yield f"{kind}-{n}", n


def _element(n: int) -> str:
    return "F160W" if n <= 3 else "F125W"


def _gallery_row(name: str, n: int) -> str:
    from aptdither.dither.phases import min_separation, span

    aperture = get_aperture("IR")
    pattern = load_catalog().get(name)
    is_tight = name.startswith("tight")
    region = Region.full() if is_tight else Region.disc(diameter_pix=WIDE_SIZE_PIX)
    found = evaluate(
        pattern.postargs(aperture),
        View(aperture, get_element(_element(n), "WFC3/IR"), region),
    )
    pixels = pattern.offsets_pix(aperture)
    return (
        f"| [{name}](#{name}) {_cells(found)} | {min_separation(pixels):.1f} | {span(pixels):.1f} |"
    )


def _cells(found: Coverage) -> str:
    center, worst = found.center, found.worst
    return (
        f"| {center.efficiency:.3f} | {worst.efficiency:.3f} "
        f"| {center.packing_of_limit:.2f} | {worst.packing_of_limit:.2f}"
    )


def worked_page() -> str:
    """Return the text of the example that starts at the ISR's Table 2."""
    aperture, element = get_aperture("IR-FIX"), get_element("F125W", "WFC3/IR")
    observed, modelled = (
        fit_dithers(measured, aperture)
        for measured in read_measurements(EXAMPLES / "table2.ecsv", at=aperture.reference_pix)
    )
    catalog = load_catalog()
    rows = {
        name: evaluate(catalog.get(name).postargs(aperture), View(aperture, element, Region.full()))
        for name in ("go-13417", "tight-8")
    }
    before, after = rows.values()
    lost, now = 1 - before.worst.efficiency, 1 - after.worst.efficiency
    spread = np.ptp(catalog.get("go-13417").offsets_pix(aperture), axis=0)
    return f"""# From Table 2 of the ISR to a better pattern

ISR WFC3 2016-14 tests its way from POS TARGs to pixels on a star that GO 13417 observed eight times
with WFC3/IR, F125W (Table 2, in `table2.ecsv`). This page follows it: were the POS TARGs executed
as commanded, what did they sample, what is lost away from the center, and which eight points do better?

## Were the POS TARGs executed as commanded?

    aptdither fit ../table2.ecsv

The modelled positions give A = {modelled.isr.a:.3f} pixels per arcsec, the observed ones
{observed.isr.a:.3f}. Section 3.2 prints 8.625, a misprint of 8.265: with it every offset would be 4 %
off, 0.2 pixel over five. The star was observed within
{observed.residual_rms_pix[0]:.3f} and {observed.residual_rms_pix[1]:.3f} pixel rms (x and y) of
the prediction from the commanded POS TARGs and the SIAF's distortion; the ISR's own model agrees with it
to {max(modelled.residual_rms_pix):.3f} (its figure 4).

    aptdither plot fit --measured ../table2.ecsv --aperture IR-FIX --element F125W --dpi {DPI} -o fit.png

![Observed and predicted positions](fit.png)

## What distortion does

A step of ten pixels at the center is a different step at the edges and corners (figure 1): the error
grows with the step and with the distance from the centre.

    aptdither plot distortion --aperture IR-FIX --dpi {DPI} -o distortion.png

![Steps of ten pixels over the detector](distortion.png)

## What the eight points sample

They span {spread[0]:.1f} x {spread[1]:.1f} pixels. At the center they are a good pattern: efficiency
{before.center.efficiency:.3f}, phase separation at {before.center.packing_of_limit:.0%} of the theoretical maximum. At the worst place two
phases nearly coincide ({before.worst.packing_of_limit:.0%}), and the efficiency is {before.worst.efficiency:.3f}. The outlines in the middle
panel show it, and so do the nine places (figure 2; the lower left one is figure 5).

    aptdither plot layout --pattern go-13417 --aperture IR-FIX --element F125W --dpi {DPI} -o before.png

![The pattern of GO 13417](before.png)

    aptdither plot field --pattern go-13417 --aperture IR-FIX --element F125W --dpi {DPI} -o nine.png

![Its phases at nine places](nine.png)

## Eight better points

`tight-8` is designed for the whole field: of all patterns that were tried, with points at least two
pixels apart, it has the best worst place.

    aptdither plot layout --pattern tight-8 --aperture IR-FIX --element F125W --dpi {DPI} -o after.png

![tight-8](after.png)

    aptdither plot map --pattern go-13417 --pattern tight-8 --aperture IR-FIX --element F125W --dpi {DPI} -o map.png

![Both over the detector, on one scale](map.png)

| F125W, whole field | E center | E worst | d/d_N center | d/d_N worst |
| --- | ---: | ---: | ---: | ---: |
| before: go-13417 {_cells(before)} |
| after: tight-8 {_cells(after)} |

The loss of efficiency at the worst place falls from {lost:.1%} to {now:.1%}, and the margin for
pointing errors there grows from {before.worst.packing:.3f} to {after.worst.packing:.3f} pixel. To use it, write
`@dither pattern=tight-8` in the Comments of the exposure in APT, or `@dither n=8` to have the pattern
chosen, and run `aptdither apply`.

## The cost of a wider spacing

Points farther apart help against blobs and persistence. The cost for a target of 30 arcsec:

    aptdither plot tradeoff -n 4 --size 30arcsec --element F160W --dpi {DPI} -o tradeoff.png

![Efficiency against spacing](tradeoff.png)
"""


#: Pictures of detectors with two chips.
CCD_PICTURES = (
    ("layout", "uvis-tight-4", "F606W"),
    ("layout", "wfc-tight-4", "F814W"),
    ("map", "wfc-tight-4", "F814W"),
)

#: Patterns whose stars are measured, stock or published ones first.
COMPARED = (
    "WFC3-IR-DITHER-BOX-MIN",
    "3d-hst",
    "tight-4",
    "go-13417",
    "tight-6",
    "tight-8",
    "tight-9",
)
#: Visits that are simulated with errors.
VISITS = 8


def images_page() -> str:
    """Return the text of the example that measures stars."""
    setup = Setup(config="WFC3/IR", aperture="IR", element="F125W")
    evaluator, aperture = Evaluator(), get_aperture("IR")
    rows = []
    for name in COMPARED:
        choice = PatternChoice.from_catalog(load_catalog().get(name), aperture)
        group = evaluator.evaluate_pattern(choice, setup, Region.full())
        clean = reconstruct_group(group, errors=False)
        real = [reconstruct_group(group, errors=True, seed=seed) for seed in range(VISITS)]
        rows.append(
            f"| {name} | {group.n} | {group.coverage.worst.efficiency:.3f} "
            f"| {clean.false_ellipticity:.3f} | {clean.fwhm_scatter_pix:.3f} "
            f"| {clean.peak_scatter:.1%} | {clean.centroid_scatter_pix:.3f} "
            f"| {np.mean([one.false_ellipticity for one in real]):.3f} "
            f"| {np.mean([one.centroid_scatter_pix for one in real]):.3f} |"
        )
    table = "\n".join(rows)
    return f"""# What the efficiency means for images

Twenty-five stars at the worst place of each pattern on WFC3/IR, F125W, imaged through the distortion with
the telescope's pupil, the pixel and its interpixel capacitance, combined with the community's `drizzle`
(output pixels of 1/2 and drops of 0.7 pixel for fewer than seven exposures, else 1/3 and 0.5) and measured
with weighted moments. All stars are round and alike: what differs from star to star comes from the sampling.

    aptdither plot reconstruction --pattern WFC3-IR-DITHER-BOX-MIN --pattern tight-4 --pattern go-13417 --pattern tight-8 --aperture IR --element F125W --dpi {DPI} -o stars.png

![Stars of four patterns, with whiskers of false ellipticity](stars.png)

Scatter from star to star, rms; the last two columns are means of {VISITS} simulated visits with HST's pointing
errors and stars of S/N {STAR_SNR:g} in each exposure, which no pattern can undo.

| pattern | N | worst E | false ellipticity | FWHM, pixels | peak | centroid, pixels | with errors: ellipticity | centroid, pixels |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
{table}

What the table says, and what it does not: among eight exposures the pattern decides the shapes of stars.
Pointing errors and noise, which no pattern can undo, add to all of them and make the gain smaller. Of four exposures, tight-4 and the stock BOX-MIN are equal
within the scatter. The width and the total flux of a star hardly depend on the pattern: they follow the
number of exposures and the choices made in drizzling.

    aptdither plot reconstruction --errors --pattern WFC3-IR-DITHER-BOX-MIN --pattern tight-4 --pattern go-13417 --pattern tight-8 --aperture IR --element F125W --dpi {DPI} -o errors.png

![The same with pointing errors and noise](errors.png)
"""


PAGES = {GALLERY: gallery_page, WORKED: worked_page, IMAGES: images_page}


def main() -> int:
    """Write pages and pictures."""
    import os

    from typer.testing import CliRunner

    from aptdither.cli import app

    for path, text in PAGES.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text(), encoding="utf-8")
        os.chdir(path.parent)
        for command in commands(path):
            result = CliRunner().invoke(app, [*command.words, "--force"])
            if result.exit_code:
                sys.stderr.write(result.output)
                return result.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
