"""Talking to a running bot: the control socket, the signals and the KILL file, and the client of all commands."""
