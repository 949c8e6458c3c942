"""Foreign clients against the embedded exchange: a group of its own, `main.py test --group conformance`."""
