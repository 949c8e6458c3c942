"""A trading desk that trades nothing: it remembers what it was asked and emits what it is told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange.emulator.errors import VenueError
from exchange.emulator.routes import ROUTES


class StubAccount:
    def __init__(self, name: str) -> None:
        self.name = name


class StubDesk:
    """The interface of ``trading.desk.TradingDesk``. ``say`` are the events that the next order causes."""

    def __init__(self, market: Any, now_ms: Callable[[], int], emit: Any, *, seed: int = 0, audit: Any = None) -> None:
        self.accounts: dict[str, StubAccount] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.say: list[dict[str, object]] = []
        self.answers: dict[str, object] = {}
        self.timers = self.frames = 0
        self.now_ms, self.emit = now_ms, emit
        self.handlers = {call: self._handler(call) for call in ROUTES if "listenKey" not in call}

    def open_account(self, name: str, usdt_e8: int, **options: Any) -> StubAccount:
        self.accounts[name] = StubAccount(name)
        return self.accounts[name]

    def _handler(self, call: str) -> Callable[[StubAccount, dict[str, str]], object]:
        def handle(account: StubAccount, params: dict[str, str]) -> object:
            self.asked.append((call, account.name, params))
            for event in self.say:
                self.emit(account, event)
            answer = self.answers.get(call, {"orderId": len(self.asked), "status": "NEW"})
            if isinstance(answer, VenueError):
                raise answer
            return answer

        return handle

    def market_event(self, frame: Any) -> None:
        self.frames += 1

    def timer(self) -> None:
        self.timers += 1
