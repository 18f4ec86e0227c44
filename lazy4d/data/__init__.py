"""Simulated scans with known truth, and writers of detector files that share no code with the readers."""

from lazy4d.data.mib import write_mib, write_mib_series, write_simulated_mib
from lazy4d.data.mib_header import MibHeader
from lazy4d.data.mrc import write_direct_electron, write_mrc
from lazy4d.data.raw import write_raw
from lazy4d.data.scan import SimulatedScan
from lazy4d.data.seq import write_celeritas, write_seq
from lazy4d.data.simulate import simulated_scan

__all__ = [
    "MibHeader",
    "SimulatedScan",
    "simulated_scan",
    "write_celeritas",
    "write_direct_electron",
    "write_mib",
    "write_mib_series",
    "write_mrc",
    "write_raw",
    "write_seq",
    "write_simulated_mib",
]
