"""The scan shape of a recording guessed from evidence, for the user to judge; nothing here is applied unasked."""

from lazy4d.io.scan_guess.candidate import ScanCandidate, ScanGuess
from lazy4d.io.scan_guess.guess import guess_scan_shape

__all__ = ["ScanCandidate", "ScanGuess", "guess_scan_shape"]
