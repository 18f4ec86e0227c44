"""How many frames an MRC file holds: what its header promises against the bytes that are there."""

from __future__ import annotations

from dataclasses import dataclass

from lazy4d.errors import TruncatedFileError
from lazy4d.io.mrc.header import MrcHeader
from lazy4d.io.rawframes import RecordLayout
from lazy4d.io.source import no_damage

_PLACEHOLDER = 32766  # some cameras write this for movies whose length they do not know yet, and for references
_BELIEVED = 100  # a promise of more than so many times what is there is no promise


@dataclass(frozen=True)
class Sections:
    """Frames of one file.

    Parameters
    ----------
    found : int
        Complete frames to use.
    expected : int or None
        Frames that the header promises; None where it makes no believable promise.
    warnings : tuple of str
        Where the two differ.
    """

    found: int
    expected: int | None
    warnings: tuple[str, ...] = ()


def count_sections(
    path: str, size: int, header: MrcHeader, layout: RecordLayout, incomplete: str, stated: int | None = None
) -> Sections:
    """The frames of a file of `size` bytes.

    NZ of the header counts; 0, negative and a placeholder of some cameras do not, then the bytes tell.

    Parameters
    ----------
    path : str
        Named in messages.
    size : int
        Bytes of the file.
    header : MrcHeader
        Its header.
    layout : RecordLayout
        Where its frames stand.
    incomplete : str
        ``"raise"``: a file that ends within its frames is an error.
    stated : int, optional
        Frames that a companion of the file counts, which may confirm more than NZ.

    Raises
    ------
    TruncatedFileError
        The file is shorter than its frames, or has not one whole frame: names the first missing one and its byte.
    """
    whole, left = layout.records_in(size)
    promised = header.nz
    unknown = promised <= 0 or (promised == _PLACEHOLDER and (whole > promised or (whole and not left)))
    if whole == 0:
        raise TruncatedFileError(
            f"{path}: the file ends inside frame 0: {layout.stride} bytes needed from byte {layout.start} on, "
            f"{max(0, size - layout.start)} found; not one whole frame of {header.nx} x {header.ny} pixels can be read"
        )
    if unknown:
        note = f"{path}: NZ at byte 8 of the header is {promised}: the {whole} frames that the file holds were taken"
        notes = [note]
        if left:
            notes.append(no_damage(incomplete, TruncatedFileError(_ending(path, layout, whole, left))))
        return Sections(whole, stated, tuple(notes))
    if whole < promised:
        error = TruncatedFileError(
            f"{_ending(path, layout, whole, left)}; NZ at byte 8 of the header promises {promised} frames"
        )
        note = no_damage(incomplete, error)
        believed = promised if promised <= _BELIEVED * whole else None
        return Sections(whole, believed, (note,))
    if whole == promised:
        spare = f"{path}: {left} bytes behind the last frame are not used"
        return Sections(whole, promised, (spare,) if left else ())
    if stated == whole:
        note = f"{path}: NZ at byte 8 of the header is {promised}, file and companion hold {whole} frames: all taken"
        return Sections(whole, whole, (note,))
    note = (
        f"{path}: {whole} frames found, {promised} promised by NZ at byte 8 of the header: those behind it are not "
        f"used; to read them give reader='raw', header={layout.start}, frame_shape and dtype"
    )
    return Sections(promised, promised, (note,))


def _ending(path: str, layout: RecordLayout, whole: int, left: int) -> str:
    return (
        f"{path}: the file ends inside frame {whole} (counted from 0) at byte {layout.start + whole * layout.stride}: "
        f"{layout.stride} bytes needed, {left} left; {whole} complete frames. Load with incomplete='nan', 'zero' or "
        "'crop' for those"
    )
