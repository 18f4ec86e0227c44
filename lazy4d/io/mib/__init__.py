"""Merlin MIB: frames with an ASCII header each, in one file or a numbered series, processed or RAW."""
