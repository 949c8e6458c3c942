"""Public REST endpoints beyond those the bot lives on (venue reference §4.2): what other clients ask a venue for.

The market knows candles, aggregate trades, the book and the mark. What it does not know is derived from them in a
stated way: single trades are equal parts of an aggregate trade, open interest is half a day's volume, past funding
rates are the interest rate, mark and index candles are those of the trades.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange.emulator import history as h
from exchange.emulator.errors import VenueError, missing
from exchange.emulator.parameters import Params, integer, limit, needed, window
from exchange.emulator.payloads import e8_fixed
from exchange.emulator.rest import Public, Rest
from exchange.emulator.tickers import Day, mean_text, money_text, percent_text
from models.instrument import Instrument, fixed_text

FUNDING_MS = 28_800_000
INTEREST = "0.00010000"
CONTRACT_TYPES = ("PERPETUAL", "CURRENT_MONTH", "NEXT_MONTH", "CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL")


class MarketData:
    """Answers in the form of ``Rest.answers``."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self.fundings: dict[str, list[tuple[int, str, str]]] = {}  # settled while we run: time, rate, mark
        v1 = "GET /fapi/v1/"
        self.answers: dict[str, Public] = {
            f"{v1}trades": self.trades,
            f"{v1}historicalTrades": self.historical_trades,
            f"{v1}ticker/bookTicker": self._each(self._quote, 2, 5),
            f"{v1}ticker/price": self._each(self._price, 1, 2),
            "GET /fapi/v2/ticker/price": self._each(self._price, 1, 2),
            f"{v1}ticker/24hr": self._each(self._day, 1, 40),
            f"{v1}fundingRate": self.funding_rate,
            f"{v1}fundingInfo": self.funding_info,
            f"{v1}openInterest": self.open_interest,
            f"{v1}continuousKlines": self.continuous_klines,
            f"{v1}indexPriceKlines": lambda params: self._bare_klines(params, "pair"),
            f"{v1}markPriceKlines": lambda params: self._bare_klines(params, "symbol"),
            f"{v1}premiumIndexKlines": self.premium_klines,
            f"{v1}rpiDepth": self.rpi_depth,
            f"{v1}symbolAdlRisk": self._each(self._adl_risk, 1, 1),
        }

    def _each(self, one: Callable[[Instrument], dict[str, object]], single: int, every: int) -> Public:
        """An answer for ``symbol``, or a list of all without it, at their weights."""

        def answer(params: Params) -> tuple[int, object]:
            if "symbol" in params:
                return single, one(self._rest.instrument(params))
            return every, [one(instrument) for instrument in self._rest.symbols.values()]

        return answer

    # -- trades ----------------------------------------------------------------------------------------------------

    def trades(self, params: Params) -> tuple[int, object]:
        instrument = self._rest.instrument(params)
        return 5, self._singles(instrument, limit(params, 500, 1000), None)

    def historical_trades(self, params: Params) -> tuple[int, object]:
        instrument = self._rest.instrument(params)
        return 200, self._singles(instrument, limit(params, 100, 500), integer(params, "fromId"))

    def _singles(self, instrument: Instrument, count: int, from_id: int | None) -> list[dict[str, object]]:
        """The newest ``count`` single trades, or the first ``count`` from an id on."""
        trades = self._rest.history(instrument).trades
        found: list[dict[str, object]] = []
        if from_id is not None:
            for trade in trades:
                if trade[4] >= from_id:
                    found += [one for one in _parts(instrument, trade) if one["id"] >= from_id]  # type: ignore[operator]
                if len(found) >= count:
                    break
            return found[:count]
        for trade in reversed(trades):
            found = _parts(instrument, trade) + found
            if len(found) >= count:
                break
        return found[-count:]

    # -- tickers -----------------------------------------------------------------------------------------------------

    def _quote(self, instrument: Instrument) -> dict[str, object]:
        book = self._rest.book(instrument, 5)
        (bid, bid_lots), (ask, ask_lots) = book["bids"][0], book["asks"][0]  # type: ignore[index]
        return {
            "symbol": instrument.symbol,
            "bidPrice": bid,
            "bidQty": bid_lots,
            "askPrice": ask,
            "askQty": ask_lots,
            "time": book["T"],
            "lastUpdateId": book["lastUpdateId"],
        }

    def _price(self, instrument: Instrument) -> dict[str, object]:
        _, price, _, _, _, at_ms, _ = self._traded(instrument).trades[-1]
        return {"symbol": instrument.symbol, "price": instrument.price_text(price), "time": at_ms}

    def _day(self, instrument: Instrument) -> dict[str, object]:
        history = self._traded(instrument)
        at_ms = history.trades[-1][5]
        day, price = Day(history, at_ms), instrument.price_text
        return {
            "symbol": instrument.symbol,
            "priceChange": price(day.close - day.open),
            "priceChangePercent": percent_text(day.close - day.open, day.open),
            "weightedAvgPrice": mean_text(day, instrument),
            "lastPrice": price(day.close),
            "lastQty": instrument.quantity_text(history.trades[-1][2]),
            "openPrice": price(day.open),
            "highPrice": price(day.high),
            "lowPrice": price(day.low),
            "volume": instrument.quantity_text(day.volume),
            "quoteVolume": money_text(day.money, instrument),
            "openTime": day.opens_ms,
            "closeTime": at_ms,
            "firstId": day.first_id,
            "lastId": day.last_id,
            "count": day.count,
        }

    def _traded(self, instrument: Instrument) -> h.History:
        """A history that has a trade. Raises VenueError (-1001): a recording at its beginning has none."""
        history = self._rest.history(instrument)
        if not history.trades:
            raise VenueError(503, -1001, "Internal error; unable to process your request. Please try again.")
        return history

    # -- funding, interest, risk -------------------------------------------------------------------------------------

    def funding_rate(self, params: Params) -> tuple[int, object]:
        count = limit(params, 100, 1000)
        start_ms, end_ms = window(params)
        chosen = [self._rest.instrument(params)] if "symbol" in params else list(self._rest.symbols.values())
        rows = [row for one in chosen for row in self._past_fundings(one) + self._settled(one)]
        rows.sort(key=lambda row: int(str(row["fundingTime"])))
        inside = [
            row
            for row in rows
            if (start_ms is None or int(str(row["fundingTime"])) >= start_ms)
            and (end_ms is None or int(str(row["fundingTime"])) <= end_ms)
        ]
        return 0, inside[:count] if start_ms is not None else inside[-count:]

    def _past_fundings(self, instrument: Instrument) -> list[dict[str, object]]:
        """The settlements the candles reach back to, at the interest rate; none that was settled while we run."""
        first = min((row[0] for row in self.fundings.get(instrument.symbol, [])), default=self._rest.now_ms() + 1)
        candles = self._rest.history(instrument).candles
        return [
            _funding(instrument, candle[h.OPEN_MS], INTEREST, e8_fixed(candle[h.OPEN] * instrument.tick_e8))
            for candle in candles
            if candle[h.OPEN_MS] % FUNDING_MS == 0 and candle[h.OPEN_MS] < first
        ]

    def _settled(self, instrument: Instrument) -> list[dict[str, object]]:
        return [_funding(instrument, *row) for row in self.fundings.get(instrument.symbol, [])]

    def settle(self, symbol: str, at_ms: int, rate: str, mark: str) -> None:
        """Note a settlement: the last mark before its time counts."""
        rows = self.fundings.setdefault(symbol, [])
        if not rows or rows[-1][0] != at_ms:
            rows.append((at_ms, rate, mark))
            del rows[:-1000]

    def funding_info(self, params: Params) -> tuple[int, object]:
        return 0, [
            {
                "symbol": symbol,
                "adjustedFundingRateCap": "0.00300",
                "adjustedFundingRateFloor": "-0.00300",
                "fundingIntervalHours": 8,
                "disclaimer": True,
                "updateTime": None,
            }
            for symbol in self._rest.symbols
        ]

    def open_interest(self, params: Params) -> tuple[int, object]:
        instrument = self._rest.instrument(params)
        now_ms = self._rest.now_ms()
        lots = Day(self._traded(instrument), now_ms).volume // 2
        return 1, {"symbol": instrument.symbol, "openInterest": instrument.quantity_text(lots), "time": now_ms}

    def _adl_risk(self, instrument: Instrument) -> dict[str, object]:
        return {"symbol": instrument.symbol, "adlRisk": "low", "updateTime": self._rest.now_ms()}

    # -- candles and book --------------------------------------------------------------------------------------------

    def continuous_klines(self, params: Params) -> tuple[int, object]:
        instrument = self._rest.instrument(params, "pair")
        if needed(params, "contractType") not in CONTRACT_TYPES:
            raise missing("contractType")
        weight, rows = self._rest.candles(instrument, params)
        return weight, rows if params["contractType"] == "PERPETUAL" else []

    def _bare_klines(self, params: Params, name: str) -> tuple[int, list[list[object]]]:
        """Candles without volume: prices with eight places."""
        instrument = self._rest.instrument(params, name)
        weight, rows = self._rest.candles(instrument, params)
        for row in rows:
            row[1:5] = [e8_fixed(instrument.ticks(str(price)) * instrument.tick_e8) for price in row[1:5]]
            row[5] = row[7] = row[9] = row[10] = "0"
        return weight, rows

    def premium_klines(self, params: Params) -> tuple[int, object]:
        weight, rows = self._bare_klines(params, "symbol")
        for row in rows:
            row[1:5] = ["0.00000000"] * 4
        return weight, rows

    def rpi_depth(self, params: Params) -> tuple[int, object]:
        instrument = self._rest.instrument(params)
        if integer(params, "limit") not in (None, 1000):
            raise VenueError(400, -4021, f"{params['limit']} is not valid depth limit")
        return 20, self._rest.book(instrument, 1000)


def _funding(instrument: Instrument, at_ms: int, rate: str, mark: str) -> dict[str, object]:
    return {
        "symbol": instrument.symbol,
        "fundingTime": at_ms,
        "fundingRate": rate,
        "markPrice": mark,
        "rateType": "Regular",
    }


def _parts(instrument: Instrument, trade: h.Trade) -> list[dict[str, object]]:
    """An aggregate trade as single trades: equal parts, the last one takes what is left (as the stream ``trade``)."""
    _, price, lots, first, last, at_ms, maker = trade
    count = min(last - first + 1, lots)
    part = lots // max(count, 1)
    made: list[dict[str, object]] = []
    for number in range(last - count + 1, last + 1):
        size = part if number < last else lots - part * (count - 1)
        made.append(
            {
                "id": number,
                "price": instrument.price_text(price),
                "qty": instrument.quantity_text(size),
                "quoteQty": fixed_text(instrument.notional_e8(price, size) // 10**6 * 10**6, 2),
                "time": at_ms,
                "isBuyerMaker": maker,
                "isRPITrade": False,
            }
        )
    return made
