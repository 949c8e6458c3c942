"""What makes facts come: a recording, a market in virtual time, or sockets. A driver knows parts, never the mode."""
