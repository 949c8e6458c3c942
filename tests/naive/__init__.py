"""Slow twins of the kernels, written to be obviously right."""
