"""Disk: recordings, the journal, the records of a run."""
