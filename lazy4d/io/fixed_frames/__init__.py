"""Files that are a header and then the frames one after another: written by many tasks at once, each to its place."""
