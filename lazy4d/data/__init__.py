"""Simulated scans with known truth, and writers of detector files that share no code with the readers."""

from lazy4d.data.beam_truth import BeamFrames, beam_frames
from lazy4d.data.blo import write_blo
from lazy4d.data.disk_frames import DiskFrames, disk_frames
from lazy4d.data.empad import write_empad
from lazy4d.data.mib import write_mib, write_mib_series, write_simulated_mib
from lazy4d.data.mib_header import MibHeader
from lazy4d.data.mrc import write_direct_electron, write_mrc
from lazy4d.data.polycrystal import Polycrystal
from lazy4d.data.raw import write_raw
from lazy4d.data.scan import SimulatedScan
from lazy4d.data.seq import write_celeritas, write_seq
from lazy4d.data.simulate import simulated_scan
from lazy4d.data.tvips import write_tvips
from lazy4d.data.vector_score import VectorScore, score_vectors

__all__ = [
    "BeamFrames",
    "DiskFrames",
    "MibHeader",
    "Polycrystal",
    "SimulatedScan",
    "VectorScore",
    "beam_frames",
    "disk_frames",
    "score_vectors",
    "simulated_scan",
    "write_blo",
    "write_celeritas",
    "write_direct_electron",
    "write_empad",
    "write_mib",
    "write_mib_series",
    "write_mrc",
    "write_raw",
    "write_seq",
    "write_simulated_mib",
    "write_tvips",
]
