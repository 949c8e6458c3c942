"""Tests of the compiled functions against their twins."""
