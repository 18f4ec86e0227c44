"""Speed and memory of lazy4d, measured against the memory of the same machine in the same run."""
