"""Small made proposals in APT's lexical style, for tests that need one that they can see."""

from __future__ import annotations

from collections.abc import Sequence


def exposure(
    number: int | str = 1,
    *,
    element: str = "F160W",
    aperture: str = "IR",
    config: str = "WFC3/IR",
    target: str = "NGC-104",
    comments: str = "",
    postarg: tuple[str, str] | None = None,
    same: str | None = None,
    iterations: int = 1,
    orbits: Sequence[int] = (1,),
    scan: bool = False,
    positions: int = 0,
) -> str:
    """Return an Exposure."""
    parts = []
    if postarg is not None:
        parts.append(f'<PosTarg\n X="{postarg[0]}"\n Y="{postarg[1]}" />')
    if scan:
        parts.append('<SpatialScan\n Rate="0.1"\n Direction="90" />')
    parts.append(f"<Comments>{comments}</Comments>" if comments else "<Comments />")
    if positions:
        subs = "\n".join(
            f'<SubExposure PrimaryPatternPosition="{j + 1}" OrbitNumber="{j + 1}" />'
            for j in range(positions)
        )
    elif iterations > 1:
        subs = "\n".join(
            f'<SubExposure CopyNumber="{j + 1}" OrbitNumber="{orbits[0]}" />'
            for j in range(iterations)
        )
    else:
        subs = "\n".join(f'<SubExposure OrbitNumber="{orbit}" />' for orbit in orbits)
    parts.append(f"<SubExposures>\n{subs}\n</SubExposures>")
    same_pos_as = f' SamePosAs="{same}"' if same else ""
    return (
        f'<Exposure Number="{number}" TargetName="{target}" Config="{config}"'
        f' Aperture="{aperture}" SpElement="{element}" NumberOfIterations="{iterations}"'
        f"{same_pos_as}>\n" + "\n".join(parts) + "\n</Exposure>"
    )


def group(*children: str, attributes: str = "") -> str:
    """Return an ExposureGroup."""
    return f"<ExposureGroup{attributes}>\n" + "\n".join(children) + "\n</ExposureGroup>"


def visit(
    *children: str, number: str = "01", comments: str = "", status: str = "implementation"
) -> str:
    """Return a Visit."""
    said = f"<Comments>{comments}</Comments>" if comments else "<Comments />"
    return (
        f'<Visit Number="{number}" Status="{status}">\n{said}\n<TicData>\n'
        "<TicDataCurrent>true</TicDataCurrent>\n</TicData>\n" + "\n".join(children) + "\n</Visit>"
    )


def proposal(*visits: str, patterns: str = "") -> bytes:
    """Return a whole proposal."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<HSTProposal Phase="Phase II" AptVersion="Version 27.1 ">\n'
        f"<Patterns>{patterns}</Patterns>\n<Visits>\n"
        + "\n".join(visits)
        + "\n</Visits>\n</HSTProposal>\n"
    ).encode()


def box_pattern(number: int = 1, points: int = 4) -> str:
    """Return an APT pattern."""
    return (
        f"<Pattern><Number>{number}</Number><PatternType>WFC3-IR-DITHER-BOX-MIN</PatternType>"
        f"<NumberOfPoints>{points}</NumberOfPoints><PointSpacing>0.572</PointSpacing>"
        "<LineSpacing>0.365</LineSpacing><Orientation>18.528</Orientation>"
        "<AngleBetweenSides>74.653</AngleBetweenSides><CenterPattern>false</CenterPattern>"
        "<Sub-Pattern>false</Sub-Pattern></Pattern>"
    )


def six(tag: str = "@dither size=full", **first: object) -> bytes:
    """Return a proposal with a group of six exposures, the first of them tagged."""
    exposures = [exposure(1, comments=tag, **first)]  # type: ignore[arg-type]
    exposures += [exposure(number) for number in range(2, 7)]
    return proposal(visit(group(*exposures)))
