"""Long tests that are commands; the suite runs a small form of each."""
