"""The command line: ``lazy4d demo | info | doctor``. Commands import what they need when they run."""

from lazy4d.cli.group import main

__all__ = ["main"]
