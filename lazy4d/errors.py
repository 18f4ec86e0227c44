"""The errors a user meets: each says what was expected, what was found and what to do."""


class Lazy4DError(Exception):
    """Root of every error that is lazy4d's own."""


class FormatError(Lazy4DError):
    """A file does not hold what its format promises; the message names path, offset, expected and found."""


class TruncatedFileError(Lazy4DError):
    """A file ends before its frames do, or shrank after it was loaded; the message names the first missing frame."""


class ScanShapeError(Lazy4DError, ValueError):
    """The frames of a file do not fill the scan shape; the message gives the frames found and shapes that fit."""


class UnsupportedVariantError(Lazy4DError):
    """A known format in a variant that cannot be read correctly; the message names the variant and a way around."""


class MissingCompanionError(Lazy4DError):
    """A file that belongs to the data set is missing; the message names exactly the file looked for."""


class MissingCodecError(Lazy4DError):
    """A compression codec or optional package is missing; the message names it and how to install it."""


class ChunkError(Lazy4DError):
    """A frame is split between blocks; the message gives the ``rechunk`` call to type."""


class Lazy4DWarning(UserWarning):
    """Something a user should know of that does not stop the work, such as damage that was asked to be tolerated."""
