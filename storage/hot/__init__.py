"""Memory that is bounded, contiguous and fast to look up."""
