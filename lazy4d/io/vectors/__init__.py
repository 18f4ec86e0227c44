"""Diffraction vectors in files: Zarr, HDF5 and Parquet, written block by block, read lazily."""
