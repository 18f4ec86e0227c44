"""StreamPix SEQ: single files of Norpix and Direct Electron cameras, and the two halves that a Celeritas writes."""
