"""What is true of one detector alone: sizes, spacings, artifacts, names.

A configuration that is not listed here is not supported. Everything that differs from one detector
to another and is not in a data file is a field of :class:`Detector`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aptdither.errors import OpticsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A supported detector.

    The values are those of :data:`WFC3_IR`; its comments name their sources. What is marked as
    "chosen" there is a choice of this project.

    Attributes
    ----------
    config : str
        Instrument and detector, as APT's ``Config`` writes them.
    label : str
        Name for people.
    siaf_file : str
        The data file with its apertures.
    image_pix : (int, int)
        Columns and rows of the calibrated image (FLT) of a chip.
    default_aperture, default_element : str
        What commands assume when nothing is given.
    fit_aperture, fit_element : str
        The same for the fit of achieved dithers.
    pattern_prefix : str
        What the names of APT's own patterns for this detector begin with.
    grism_origin_aperture : str
        Aperture whose reference point a grism moves.
    tight_spacing_pix : float
        Smallest distance between points of a tight pattern, pixels.
    widest_spacing_pix : float
        Largest spacing of a wide pattern, pixels: a wider one gains nothing.
    min_step_pix : float
        Smallest step between two points that `check` accepts, pixels.
    blob_pix : (float, float)
        Diameters of the smallest and the largest blobs, pixels.
    max_cluster_size : int
        Points of one cluster, at most.
    cluster_step_arcsec : float
        Step between clusters, arcsec.
    guide_star_limit_arcsec : float
        Dithers within this diameter keep their guide stars, arcsec.
    y_cost : float
        Cost of one pixel in y in a compact layout; a pixel in x costs 1.
    tile_arcsec : float
        Pointings farther apart than this are not one dither, arcsec.
    rounding_pix : float
        How far rounding POS TARGs to 0.001 arcsec can move a point, pixels.
    design_rounding_pix : float
        Spacing that a design keeps in reserve for that rounding, pixels.
    same_pointing_pix, same_phase_pix : float
        Pointings and phases nearer than this count as one, pixels.
    """

    config: str
    label: str
    siaf_file: str
    image_pix: tuple[int, int]
    default_aperture: str
    default_element: str
    fit_aperture: str
    fit_element: str
    pattern_prefix: str
    grism_origin_aperture: str
    tight_spacing_pix: float
    widest_spacing_pix: float
    min_step_pix: float
    blob_pix: tuple[float, float]
    max_cluster_size: int
    cluster_step_arcsec: float
    guide_star_limit_arcsec: float
    y_cost: float
    tile_arcsec: float
    rounding_pix: float
    design_rounding_pix: float
    same_pointing_pix: float
    same_phase_pix: float

    @property
    def instrument(self) -> str:
        """The instrument: the first part of `config`."""
        return self.config.partition("/")[0]

    def contains(self, x_pix: float, y_pix: float) -> bool:
        """Tell whether a position lies on a chip's calibrated image.

        Parameters
        ----------
        x_pix, y_pix : float, pixels
            1-based: the image reaches from 0.5 to half a pixel beyond its last pixel's center.
        """
        columns, rows = self.image_pix
        return 0.5 <= x_pix <= columns + 0.5 and 0.5 <= y_pix <= rows + 0.5


WFC3_IR = Detector(
    config="WFC3/IR",
    label="WFC3/IR",
    siaf_file="wfc3ir-apertures.json",
    # ISR WFC3 2016-14, section 3.1: 1024 x 1024 without 5 reference pixels on each side.
    image_pix=(1014, 1014),
    # Chosen: the aperture and the filter used most.
    default_aperture="IR",
    default_element="F160W",
    # ISR WFC3 2016-14, table 2: the data to which the fit is compared.
    fit_aperture="IR-FIX",
    fit_element="F125W",
    pattern_prefix="WFC3-IR-DITHER",
    # HST SIAF 1.90: reference point (562, 562) without and (497, 562) with a grism.
    grism_origin_aperture="IR",
    # ISR WFC3 2016-14, section 5: at least 2 pixels, so that a bad pixel is met once.
    tight_spacing_pix=2.0,
    min_step_pix=2.0,
    # ISR WFC3 2016-14, section 7, after Pirzkal, Viana & Rajan 2010: blobs are 10 to 15 pixels.
    widest_spacing_pix=15.0,
    blob_pix=(10.0, 15.0),
    # ISR WFC3 2016-14, section 1: nine degrees of freedom a pixel.
    max_cluster_size=9,
    # ISR WFC3 2016-14, section 7: "perhaps 2.0".
    cluster_step_arcsec=2.0,
    # WFC3 Instrument Handbook, section 7.10.1.
    guide_star_limit_arcsec=130.0,
    # Chosen: distortion is larger along y (ISR WFC3 2016-14, figures 1 and 2).
    y_cost=2.0,
    # Chosen: half of the detector's field.
    tile_arcsec=60.0,
    # Chosen: 0.001 arcsec is 0.008 pixel in y; checks allow more, since files come from elsewhere.
    rounding_pix=0.05,
    design_rounding_pix=0.012,
    # Chosen: less than any step repeats to (5 mas), and about what all pointing errors add up to.
    same_pointing_pix=0.04,
    same_phase_pix=0.1,
)

_DETECTORS: Mapping[str, Detector] = MappingProxyType({d.config: d for d in (WFC3_IR,)})


def supported_configs() -> tuple[str, ...]:
    """Return the configurations that are supported, as APT writes them."""
    return tuple(_DETECTORS)


def get_detector(config: str) -> Detector:
    """Return the detector of a configuration.

    Raises
    ------
    OpticsError
        If it is not supported; the message names those that are.

    Examples
    --------
    >>> get_detector("WFC3/IR").tight_spacing_pix
    2.0
    """
    if config not in _DETECTORS:
        raise OpticsError(
            f"the configuration {config!r} is not supported; supported: {', '.join(_DETECTORS)}"
        )
    return _DETECTORS[config]
