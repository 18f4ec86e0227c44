"""Files that RosettaSciIO reads, through that optional package, as sources like any other."""
