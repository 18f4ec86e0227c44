"""What is known of data: the metadata tree, and the history that says how they were made."""

from lazy4d.metadata.history import History, HistoryEntry
from lazy4d.metadata.tree import Metadata

__all__ = ["History", "HistoryEntry", "Metadata"]
