"""What the market is now: the compiled pass's memory, seen from Python."""
