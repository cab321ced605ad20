"""Telescope and detectors: apertures, distortion and spectral elements."""
