"""Zarr arrays of other programs: versions 2 and 3, in folders, zip files and behind URLs."""
