"""The simulated exchange: market rows and orders in, the venue's reports out. Pure: no socket, clock or task."""
