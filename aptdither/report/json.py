"""Reports as JSON: the contract of scripts, ``schemas/report.schema.json``.

Numbers are plain floats, text is valid Unicode, enumerations are their values; ``report_version``
changes when a key does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from aptdither.dither.region import diameter_arcsec
from aptdither.report.sanitize import utf8_text
from aptdither.report.summary import worst_chip
from aptdither.version import __version__

if TYPE_CHECKING:
    from aptdither.dither.coverage import Coverage
    from aptdither.dither.optimizer.optimize import OptimizeResult
    from aptdither.dither.pattern import Pattern
    from aptdither.findings import Finding
    from aptdither.io.files import Source, Written
    from aptdither.optics.aperture import Aperture
    from aptdither.optics.filters import SpectralElement
    from aptdither.optics.pointing_fit import DitherFit
    from aptdither.planning.evaluation import DitherGroup
    from aptdither.planning.plan import Plan

REPORT_VERSION = 2

#: Decimals of figures that are computed by long sums, whose last bits differ from run to run.
DECIMALS = 9


def header(command: str) -> dict[str, Any]:
    """Return the first keys of every report."""
    return {
        "report_version": REPORT_VERSION,
        "tool": {"name": "aptdither", "version": __version__},
        "command": command,
    }


def apply_report(plan: Plan, *, source: Source, written: Written | None) -> dict[str, Any]:
    """Return the report of ``apply`` on the file that was read; None was written in a dry run."""
    index = {id(group): k for k, group in enumerate(plan.groups)}
    sets = [
        {
            "id": utf8_text(joined.id),
            "groups": [index[id(group)] for group in joined.groups],
            "coverage": places_as_json(joined.coverage, worst_chip(joined)),
        }
        for joined in plan.sets
    ]
    overlaps = [
        {"groups": [index[id(group)] for group in one.groups], **_rounded(one.figures)}
        for one in plan.overlaps
    ]
    return {
        **header("apply"),
        "seed": plan.seed,
        **files_as_json(source, written),
        "groups": [group_as_json(group) for group in plan.groups],
        **({"sets": sets} if sets else {}),
        **({"overlaps": overlaps} if overlaps else {}),
        "findings": findings_as_json(plan.findings),
    }


def files_as_json(source: Source, written: Written | None) -> dict[str, Any]:
    """Return what was read, and what was written."""
    return {
        "input": {"path": utf8_text(str(source.path)), "sha256": source.sha256},
        "output": written and {"path": utf8_text(str(written.path)), "sha256": written.sha256},
    }


def groups_report(command: str, groups: Iterable[DitherGroup], *, seed: int) -> dict[str, Any]:
    """Return the report of a command that evaluates groups; outside a proposal without visit and tag."""
    return {**header(command), "seed": seed, "groups": [group_as_json(group) for group in groups]}


def catalog_report(catalog: Iterable[Pattern]) -> dict[str, Any]:
    """Return patterns as a list."""
    return {
        **header("patterns"),
        "patterns": [
            {
                **_fields(pattern, "name", "n", "config", "frame"),
                "points": [list(point) for point in pattern.points],
                "designed_for": utf8_text(pattern.designed_for),
                "source": utf8_text(pattern.source),
            }
            for pattern in catalog
        ],
    }


def tradeoff_report(
    curve: Sequence[OptimizeResult], aperture: Aperture, element: SpectralElement, *, seed: int
) -> dict[str, Any]:
    """Return the figures of each spacing at the worst place of the region."""
    return {
        **header("optimize"),
        "seed": seed,
        "aperture": aperture.name,
        "element": element.name,
        "tradeoff": [
            {
                "spacing_pix": point.asked_spacing_pix,
                "efficiency": point.efficiency_worst,
                "packing_of_limit": point.coverage.worst.packing_of_limit,
                "min_separation_pix": point.separation_pix,
                **_fields(point, "span_pix", "slew_seconds"),
                "postargs": [list(pair) for pair in point.postargs],
            }
            for point in curve
        ],
    }


def fit_report(
    fits: Sequence[DitherFit],
    coverages: Sequence[Sequence[Coverage]],
    aperture: Aperture,
    element: SpectralElement,
) -> dict[str, Any]:
    """Return the report of ``fit``: the fit of each dataset, and the coverage it achieved."""
    return {
        **header("fit"),
        "aperture": aperture.name,
        "element": element.name,
        "datasets": [
            {
                "dataset": utf8_text(fit.dataset),
                **_fields(fit.isr, "a", "a_error", "b", "b_error"),
                "scale": fit.siaf.scale,
                "scale_error": fit.siaf.a_error,
                "roll_deg": fit.siaf.turn_deg,
                "roll_error_deg": fit.siaf.turn_error_deg,
                "rms_x_pix": fit.residual_rms_pix[0],
                "rms_y_pix": fit.residual_rms_pix[1],
                "coverage": {
                    "commanded": places_as_json(commanded),
                    "achieved": places_as_json(achieved),
                },
            }
            for fit, (commanded, achieved) in zip(fits, coverages, strict=True)
        ],
    }


def places_as_json(coverage: Coverage, chip: str = "") -> dict[str, Any]:
    """Return the metrics at the center and the worst of each over the region, E's on `chip`."""
    worst = _rounded(coverage.worst) | ({"chip": chip} if chip else {})
    return {"center": _rounded(coverage.center), "worst": worst}


def group_as_json(group: DitherGroup) -> dict[str, Any]:
    """Return one group object."""
    about = {"visit": group.visit, "tag": group.tag}
    return {
        **{name: utf8_text(value) for name, value in about.items() if value is not None},
        "config": group.aperture.config,
        "aperture": group.aperture.name,
        "element": group.element.name,
        "size": group.region.text,
        "size_arcsec": diameter_arcsec(group.region, group.aperture),
        "snr": group.evaluation.view.snr,
        "pattern": {
            "name": group.choice.name,
            "method": str(group.choice.method),
            "source": group.choice.source,
            "why": group.choice.why,
        },
        "clusters": group.clusters,
        "points": [
            {
                "exposure": utf8_text(point.number),
                "dx_pix": point.dx_pix,
                "dy_pix": point.dy_pix,
                "postarg_x": point.pos_targ.x_arcsec,
                "postarg_y": point.pos_targ.y_arcsec,
            }
            for point in group.points
        ],
        "coverage": {
            **places_as_json(group.coverage, worst_chip(group)),
            "possible": _rounded(group.evaluation.possible),
            "pointing": _rounded(group.pointing),
            "seen_by_all": round(group.evaluation.seen_by_all, DECIMALS),
        },
        **_fields(group, "min_separation_pix", "span_pix", "slew_seconds"),
    }


def findings_as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as objects."""
    return [
        {
            "code": finding.code,
            "severity": str(finding.severity),
            "visit": None if finding.visit is None else utf8_text(finding.visit),
            "exposure": None if finding.exposure is None else utf8_text(finding.exposure),
            "line": finding.line,
            "message": utf8_text(finding.message),
        }
        for finding in findings
    ]


def _fields(record: object, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _rounded(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, numbers rounded."""
    return {
        name: round(value, DECIMALS) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(record).items()
    }
