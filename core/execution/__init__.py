"""Own orders and the position they make."""
