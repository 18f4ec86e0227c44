"""Readers: a file becomes a `Source`, frames that a task can read by itself plus what the file says of them."""
