"""Electron Microscope Pixel Array Detector (EMPAD): ``.raw`` frames and the ``.xml`` beside them."""
