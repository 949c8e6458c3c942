"""The scripted days; each runs in its client's own environment, not in ours."""
