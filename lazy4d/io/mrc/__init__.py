"""MRC files: image stacks, movies of Direct Electron cameras, volumes."""
