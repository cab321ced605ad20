"""``aptdither evaluate``: the coverage of POS TARGs, of a pattern, or of a proposal as it is."""

from __future__ import annotations

from aptdither.cli import options as opt
from aptdither.cli.inputs import GroupInputs
from aptdither.errors import UsageError


def evaluate_coverage(
    inputs: GroupInputs,
    details: bool = opt.DETAILS,
    fmt: opt.Format = opt.FORMAT,
) -> None:
    """Evaluate the pixel-phase coverage of POS TARGs.

    Coverage is given at the center and at the worst place of the region. With --proposal, the
    exposures' own apertures and spectral elements are used.
    """
    if inputs.patterns and inputs.postargs:
        raise UsageError("give one of --postargs, --pattern and --proposal")
    groups = inputs.groups(with_plan=False)
    if not groups:
        where = f"visit {inputs.visit} of {inputs.proposal}" if inputs.visit else inputs.proposal
        opt.print_status(f"{where} has no exposures of a supported detector to evaluate")
    opt.print_groups("evaluate", groups, fmt, seed=inputs.seed, details=details)
