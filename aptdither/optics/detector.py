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
class Pupil:
    """What of the primary mirror a detector sees: a ring, radii as fractions of the mirror's."""

    inner: float
    outer: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelKernel:
    """How a detector spreads the light of one pixel over the 3 x 3 pixels about it.

    Shares of each corner, each edge and the center, whose sum is 1 to the digits of the source, at a
    wavelength; between two wavelengths they are interpolated.
    """

    wavelength_nm: float
    corner: float
    edge: float
    center: float


#: Tiny Tim's parameter files: the secondary mirror hides the inner third of the primary.
OTA_PUPIL = Pupil(inner=0.330, outer=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A supported detector.

    Defaults hold for every detector; the records below name the sources of the rest. What is marked
    as "chosen" is a choice of this project.

    Attributes
    ----------
    config : str
        Instrument and detector, as APT's ``Config`` writes them.
    is_ccd : bool
        Whether cosmic rays stay in an exposure: no reads within it tell them from the source.
    siaf_file : str
        The data file with its apertures.
    image_pix : (int, int)
        Columns and rows of the calibrated image (FLT) of a chip.
    default_aperture, default_element : str
        What commands assume when nothing is given.
    fit_aperture, fit_element : str
        The same for the fit of achieved dithers, where it is another.
    pattern_prefix : str
        What the names of APT's own patterns for this detector begin with.
    pupil : Pupil
        For the sampled band.
    pixel_kernels : tuple of PixelKernel
        Charge diffusion or interpixel capacitance, bluest first; none where it is not known.
    widest_spacing_pix : float
        Largest spacing of a wide pattern, pixels, and the smallest of points of two clusters: as
        large as the artifacts, since a wider one gains nothing.
    blob_pix : (float, float) or None
        Diameters of the smallest and the largest blobs, pixels; None where there are none.
    cluster_step_arcsec : float
        Step between clusters, arcsec.
    y_cost : float
        Cost of one pixel in y in a compact layout; a pixel in x costs 1.
    design_rounding_pix : float
        Spacing that a design keeps in reserve for rounding POS TARGs to 0.001 arcsec, pixels.
    tight_spacing_pix : float
        Smallest distance between points of a tight pattern, pixels; `check` accepts no smaller one.
    max_cluster_size : int
        Points of one cluster, at most.
    guide_star_limit_arcsec : float
        Dithers within this diameter keep their guide stars, arcsec.
    same_field_arcsec : float
        Pointings farther apart than this share too little of the field to be one dither, arcsec.
    rounding_pix : float
        How far rounding POS TARGs to 0.001 arcsec can move a point, pixels.
    same_pointing_pix, same_phase_pix : float
        Pointings and phases nearer than this count as one, pixels.
    """

    config: str
    is_ccd: bool = False
    siaf_file: str
    image_pix: tuple[int, int]
    default_aperture: str
    default_element: str
    fit_aperture: str = ""
    fit_element: str = ""
    pattern_prefix: str
    pupil: Pupil = OTA_PUPIL
    pixel_kernels: tuple[PixelKernel, ...] = ()
    widest_spacing_pix: float
    blob_pix: tuple[float, float] | None = None
    cluster_step_arcsec: float
    y_cost: float = 1.0
    design_rounding_pix: float
    # ISR WFC3 2016-14, section 5: at least 2 pixels, so that a bad pixel is met once.
    tight_spacing_pix: float = 2.0
    # ISR WFC3 2016-14, section 1: nine degrees of freedom a pixel.
    max_cluster_size: int = 9
    # WFC3 Instrument Handbook, section 7.10.1; a matter of the guiders' fields, so of every detector.
    guide_star_limit_arcsec: float = 130.0
    # Chosen: half of the field of WFC3/IR.
    same_field_arcsec: float = 60.0
    # Chosen: what design_rounding_pix is at most; checks allow that much, since files come from elsewhere.
    rounding_pix: float = 0.05
    # Chosen: less than any step repeats to (5 mas), and a phase that differs by a tenth of a pixel.
    same_pointing_pix: float = 0.04
    same_phase_pix: float = 0.1

    @property
    def instrument(self) -> str:
        """The instrument: the first part of `config`."""
        return self.config.partition("/")[0]

    def contains(self, x_pix: float, y_pix: float) -> bool:
        """Tell whether a position, 1-based pixels, lies on a pixel of a chip's calibrated image."""
        columns, rows = self.image_pix
        return 0.5 <= x_pix <= columns + 0.5 and 0.5 <= y_pix <= rows + 0.5


WFC3_IR = Detector(
    config="WFC3/IR",
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
    # Tiny Tim's parameter files: the camera's cold mask, and interpixel capacitance.
    pupil=Pupil(inner=0.354, outer=0.9755),
    pixel_kernels=(PixelKernel(wavelength_nm=1300.0, corner=0.0007, edge=0.025, center=0.897),),
    # ISR WFC3 2016-14, section 7, after Pirzkal, Viana & Rajan 2010: blobs are 10 to 15 pixels.
    widest_spacing_pix=15.0,
    blob_pix=(10.0, 15.0),
    # ISR WFC3 2016-14, section 7: "perhaps 2.0".
    cluster_step_arcsec=2.0,
    # Chosen: distortion is larger along y (ISR WFC3 2016-14, figures 1 and 2).
    y_cost=2.0,
    # 0.001 arcsec along both axes is 0.0117 pixel where pixels are smallest, 0.121 arcsec.
    design_rounding_pix=0.012,
)

WFC3_UVIS = Detector(
    config="WFC3/UVIS",
    is_ccd=True,
    siaf_file="wfc3uvis-apertures.json",
    # WFC3 Instrument Handbook, section 6.4.1: each of two chips, without overscan.
    image_pix=(4096, 2051),
    # Chosen: the full frame, and a broad filter that is used much.
    default_aperture="UVIS",
    default_element="F606W",
    pattern_prefix="WFC3-UVIS-DITHER",
    # Tiny Tim's parameter files: charge diffusion.
    pixel_kernels=(
        PixelKernel(wavelength_nm=400.0, corner=0.017, edge=0.097, center=0.544),
        PixelKernel(wavelength_nm=600.0, corner=0.012, edge=0.084, center=0.616),
        PixelKernel(wavelength_nm=800.0, corner=0.007, edge=0.069, center=0.696),
    ),
    # Chosen: hot pixels and bad columns are one to a few pixels wide, and there are no blobs.
    widest_spacing_pix=10.0,
    # Chosen: longer than a tight pattern, and short: 1 arcsec moves phases by 0.4 pixel (SIAF 1.90).
    cluster_step_arcsec=0.5,
    # 0.001 arcsec along both axes, pixels of 0.039 arcsec.
    design_rounding_pix=0.037,
)

ACS_WFC = Detector(
    config="ACS/WFC",
    is_ccd=True,
    siaf_file="acswfc-apertures.json",
    # ACS Instrument Handbook, table 3.1: each of two chips, without overscan.
    image_pix=(4096, 2048),
    # Chosen: the full frame, and the filter used most.
    default_aperture="WFC",
    default_element="F814W",
    pattern_prefix="ACS-WFC-DITHER",
    # Tiny Tim's parameter files: charge diffusion.
    pixel_kernels=(
        PixelKernel(wavelength_nm=400.0, corner=0.032, edge=0.097, center=0.485),
        PixelKernel(wavelength_nm=600.0, corner=0.023, edge=0.076, center=0.605),
        PixelKernel(wavelength_nm=800.0, corner=0.013, edge=0.046, center=0.765),
    ),
    # Chosen: as for WFC3/UVIS.
    widest_spacing_pix=10.0,
    # Chosen: as for WFC3/UVIS; 1 arcsec moves phases by 1.0 to 1.2 pixel (SIAF 1.90).
    cluster_step_arcsec=0.5,
    # 0.001 arcsec along both axes, pixels of 0.047 arcsec.
    design_rounding_pix=0.031,
)

ACS_SBC = Detector(
    config="ACS/SBC",
    siaf_file="acssbc-apertures.json",
    # ACS Instrument Handbook, table 3.1: a MAMA, without overscan.
    image_pix=(1024, 1024),
    # Chosen: the full frame, and the filter used most.
    default_aperture="SBC",
    default_element="F150LP",
    pattern_prefix="ACS-SBC-DITHER",
    # A MAMA counts photons: no charge diffuses; what its microchannels spread has no known kernel.
    pixel_kernels=(),
    # Chosen: as for the CCDs; a MAMA has no hot pixels, but bad rows and spots of a few pixels.
    widest_spacing_pix=10.0,
    # Chosen: as for the CCDs.
    cluster_step_arcsec=0.5,
    # 0.001 arcsec along both axes, pixels of 0.029 arcsec.
    design_rounding_pix=0.048,
)

_DETECTORS: Mapping[str, Detector] = MappingProxyType(
    {detector.config: detector for detector in (WFC3_IR, WFC3_UVIS, ACS_WFC, ACS_SBC)}
)


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
