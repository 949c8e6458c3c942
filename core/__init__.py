"""Decides. Pure: no socket, clock, randomness, log or task; time arrives inside facts."""
