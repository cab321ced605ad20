"""Which pattern exposures get: of their own detector, from the catalog or designed."""

from __future__ import annotations

import pytest

from aptdither.apt.tags import DitherRequest, Method
from aptdither.dither.catalog import load_catalog
from aptdither.dither.views import View
from aptdither.errors import RefusalError
from aptdither.optics.aperture import get_aperture
from aptdither.optics.filters import get_element
from aptdither.planning.choice import PatternChooser
from aptdither.types import Region

CHOOSER = PatternChooser(
    views=(View(get_aperture("IR"), get_element("F160W", "WFC3/IR"), Region.full()),),
    catalog=load_catalog(),
)


@pytest.mark.parametrize("name", ["WFC3-UVIS-DITHER-BOX", "acs-wfc-udf-box"])
def test_a_pattern_of_another_detector_is_refused_and_the_own_ones_are_named(name: str) -> None:
    with pytest.raises(RefusalError, match=r"is for .*, and these exposures are of WFC3/IR") as no:
        CHOOSER.choose((4,), DitherRequest(pattern=name))
    assert str(no.value).endswith("or 3d-hst or tight-4 or wide-4")


@pytest.mark.parametrize("n", [2, 9])
def test_two_detectors_get_a_pattern_that_is_designed_for_both(n: int) -> None:
    prime = get_aperture("IR", "F125W")
    wfc = get_aperture("WFC", "F814W", config="ACS/WFC")
    views = (
        View(prime, get_element("F125W", "WFC3/IR"), Region.full()),
        View(wfc, get_element("F814W", "ACS/WFC"), Region.full(), prime.frame),
    )
    chooser = PatternChooser(views=views, catalog=load_catalog())
    assert chooser.choose((n,), DitherRequest(method=Method.CATALOG)).name == f"ir-wfc-{n}"
