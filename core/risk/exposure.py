"""What is already at risk on the account."""

from __future__ import annotations


class Exposure:
    """What is already at risk on the account when a question is asked. Values at 1e-8."""

    __slots__ = ("alive", "alive_entries", "equity_e8", "margin_e8", "value_e8")

    def __init__(self, equity_e8: int, value_e8: int, margin_e8: int, alive: int, alive_entries: int) -> None:
        self.equity_e8 = equity_e8
        self.value_e8 = value_e8
        self.margin_e8 = margin_e8
        self.alive = alive
        self.alive_entries = alive_entries
