"""Arrays stored in chunks, whatever the container: where frames stand, how chunks are unpacked, tile by tile."""
