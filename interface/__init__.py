"""Shows, passes commands on, never decides."""
