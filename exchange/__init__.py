"""Acts: where orders go. The venue itself, the simulated exchange, and the simulated exchange behind real sockets."""
