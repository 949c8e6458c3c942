"""The embedded exchange: a market, made or recorded, behind the venue's own REST and WebSocket protocol.

``market`` names what a market must give; ``generator`` makes one from a seed, ``tape`` plays a recording.
``streams`` knows names, categories and derived streams; ``sockets`` and ``rest`` speak the protocol; ``server`` joins
them. ``python -m exchange.emulator`` runs it as its own process.
"""
