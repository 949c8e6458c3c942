"""Hears: from the bytes of a frame to checked market rows. Nothing here decides, stores or shows."""
