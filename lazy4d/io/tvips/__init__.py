"""TVIPS streams (``.tvips``), one file or several numbered ones."""
