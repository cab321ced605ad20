"""``aptdither evaluate``: the coverage of POS TARGs, of a pattern, or of a proposal as it is."""

from __future__ import annotations

from aptdither.cli import options as opt
from aptdither.cli.inputs import GroupInputs, SetupInputs
from aptdither.errors import UsageError


def evaluate_coverage(
    postargs: opt.PostargsOption = None,
    pattern: opt.PatternOption = None,
    proposal: opt.ProposalOption = None,
    visit: opt.VisitOption = None,
    config: opt.ConfigOption = None,
    aperture: opt.ApertureOption = None,
    element: opt.ElementOption = None,
    size: opt.SizeOption = None,
    catalog: opt.CatalogOption = None,
    distortion: opt.DistortionOption = None,
    seed: opt.SeedOption = 0,
    fmt: opt.FormatOption = opt.Format.TEXT,
    no_color: opt.NoColorOption = False,
) -> None:
    """Evaluate the pixel-phase coverage of POS TARGs.

    Coverage is given at the center and at the worst place of the region. With --proposal, the
    exposures' own apertures and spectral elements are used.
    """
    if sum(one is not None for one in (postargs, pattern, proposal)) != 1:
        raise UsageError("give one of --postargs, --pattern and --proposal")
    groups = GroupInputs(
        setup=SetupInputs(config, aperture, element, distortion),
        patterns=() if pattern is None else (pattern,),
        postargs=() if postargs is None else (postargs,),
        proposal=proposal,
        visit=visit,
        size=size,
        catalog=catalog,
        seed=seed,
    ).groups(with_plan=False)
    if not groups:
        where = f"visit {visit} of {proposal}" if visit is not None else str(proposal)
        opt.print_status(f"{where} has no exposures of a supported detector to evaluate")
    opt.print_groups("evaluate", groups, fmt, seed=seed, no_color=no_color)
