"""The one table of the conformance suite: a row for each reader and variant; a new reader fails until it has one."""

from __future__ import annotations

from tests.io.conformance import hdf5_cases, plugin_cases, record_cases, store_cases, zarr_cases
from tests.io.conformance.model import Case

CASES: dict[str, Case] = {
    **record_cases.CASES,
    **store_cases.CASES,
    **zarr_cases.CASES,
    **hdf5_cases.CASES,
    **plugin_cases.CASES,
}

FIRST = {case.reader: name for name, case in reversed(CASES.items())}
"""One case for each reader, for tests that start processes."""
