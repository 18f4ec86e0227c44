"""Frames stored in HDF5 files: any layout and compression, in the dialects of many programs."""
