"""NanoMegas block files (``.blo``)."""
