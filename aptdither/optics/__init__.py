"""The telescope wing: apertures, distortion and spectral elements, and nothing of XML."""
