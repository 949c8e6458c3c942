"""Requests as the bytes that leave, signed over exactly these bytes, the signature last (venue reference §4, §5, F24).

A market order is a prepared head, one formatting of a prepared body and one signature; everything else is put together
from its parameters. Numbers are written with the venue's number of places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import quote, urlsplit

import msgspec

from config.settings import APPLICATION
from exchange.binance.signing import Signer
from models.error import ConfigurationError
from models.instrument import Instrument
from models.order import ApprovedOrder, OrderType, Purpose, Side

Params = Sequence[tuple[str, str]]
READ_WINDOW_MS = 5_000
"""What only reads or ends something may be late; the venue's own default."""
_SIDES = {side: side.name for side in Side}


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided once about orders: ``recv_window_ms`` as in the settings, and how stops are placed."""

    recv_window_ms: int = 1_000
    working_type: str = "MARK_PRICE"
    """MARK_PRICE or CONTRACT_PRICE: what triggers a stop. Liquidation goes by the mark price."""
    stop_closes_position: bool = False
    """Stops close whatever is open instead of a quantity."""
    price_protect: bool = False

    def __post_init__(self) -> None:
        if self.working_type not in ("MARK_PRICE", "CONTRACT_PRICE"):
            raise ConfigurationError(f"working_type is {self.working_type!r}; it is MARK_PRICE or CONTRACT_PRICE")
        if not 1 <= self.recv_window_ms <= READ_WINDOW_MS:
            raise ConfigurationError(f"recv_window_ms is {self.recv_window_ms}; it must be 1 to {READ_WINDOW_MS}")


class OrderRequests(Protocol):
    """The requests of the order path. ``at_ms`` is the venue's time that the order is signed for."""

    probe: bytes

    def order(self, order: ApprovedOrder, at_ms: int) -> bytes: ...

    def cancel(self, instrument: int, client_id: str, at_ms: int) -> bytes: ...

    def cancel_stop(self, client_id: str, at_ms: int) -> bytes: ...


def quantity_format(instrument: Instrument) -> Callable[[int], bytes]:
    """Lots as the venue writes them, as bytes: ``Instrument.quantity_text`` at a third of its cost."""
    places = instrument.quantity_places
    unit, one = instrument.lot_e8 // 10 ** (8 - places), 10**places
    if instrument.lot_e8 % 10 ** (8 - places):
        raise ConfigurationError(f"{instrument.symbol}: a lot has more than {places} decimals")
    if places == 0:
        return lambda lots: b"%d" % (lots * unit)
    form = b"%%d.%%0%dd" % places
    return lambda lots: form % divmod(lots * unit, one)


def order_params(order: ApprovedOrder, instrument: Instrument, terms: Terms) -> list[tuple[str, str]]:
    """The parameters of an order that is no stop.

    An entry that would trade with an own resting order ends itself (P20); an exit goes on, as is the venue's default.
    """
    params = [("symbol", instrument.symbol), ("side", _SIDES[order.side]), ("type", order.type.value)]
    if order.type is OrderType.LIMIT:
        params.append(("timeInForce", order.time_in_force.value))
    params.append(("quantity", instrument.quantity_text(order.quantity)))
    if order.type is OrderType.LIMIT:
        params.append(("price", instrument.price_text(order.price)))
    if order.reduce_only:
        params.append(("reduceOnly", "true"))
    params += [("newClientOrderId", order.client_id), ("newOrderRespType", "ACK")]
    if order.purpose is Purpose.ENTRY:
        params.append(("selfTradePreventionMode", "EXPIRE_TAKER"))
    params.append(("recvWindow", str(terms.recv_window_ms)))
    return params


def stop_params(order: ApprovedOrder, instrument: Instrument, terms: Terms) -> list[tuple[str, str]]:
    """The parameters of a stop for the algo service, which can only reduce."""
    params = [
        ("algoType", "CONDITIONAL"), ("symbol", instrument.symbol), ("side", _SIDES[order.side]),
        ("type", "STOP_MARKET"),
    ]  # fmt: skip
    if terms.stop_closes_position:
        params.append(("closePosition", "true"))
    else:
        params += [("quantity", instrument.quantity_text(order.quantity)), ("reduceOnly", "true")]
    params += [("triggerPrice", instrument.price_text(order.trigger)), ("workingType", terms.working_type)]
    if terms.price_protect:
        params.append(("priceProtect", "true"))
    params += [("clientAlgoId", order.client_id), ("newOrderRespType", "ACK")]
    params.append(("recvWindow", str(terms.recv_window_ms)))
    return params


def encoded(params: Params) -> bytes:
    """Parameters as a query string or form body, percent-encoded as UTF-8."""
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in params).encode()


class RestRequests:
    """HTTP/1.1 requests to one host."""

    def __init__(self, base_url: str, signer: Signer, instruments: Sequence[Instrument], terms: Terms) -> None:
        host = urlsplit(base_url).netloc
        if not host or not host.isascii():
            raise ConfigurationError(f"the REST address {base_url!r} must look like https://fapi.binance.com")
        self._signer = signer
        self._instruments = tuple(instruments)
        self.terms = terms
        self._host = b"Host: " + host.encode() + b"\r\nUser-Agent: " + APPLICATION.encode() + b"\r\n"
        self._keyed = self._host + signer.header
        self._form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
        self.probe = self.public("/fapi/v1/ping")
        self._order_head = self._head("POST", "/fapi/v1/order").replace(b"%", b"%%") + self._form + b"%b&signature=%b"
        self._quantities = [quantity_format(one) for one in self._instruments]
        self._bodies = [
            [_market_body(one, side, kind, terms) for side in Side for kind in (False, True)]
            for one in self._instruments
        ]

    # -- the order path ---------------------------------------------------------------------------------------

    def order(self, order: ApprovedOrder, at_ms: int) -> bytes:
        """A new order, by its type."""
        if order.type is not OrderType.MARKET:
            return self._other(order, at_ms)
        entry = order.purpose is Purpose.ENTRY
        if entry == order.reduce_only:  # an entry that reduces, an exit that does not: no prepared form
            return self._other(order, at_ms)
        index = order.instrument
        body = self._bodies[index][2 * order.side + order.reduce_only] % (
            self._quantities[index](order.quantity), order.client_id.encode(), at_ms,
        )  # fmt: skip
        signature = self._signer.sign(body)
        return self._order_head % (len(body) + 11 + len(signature), body, signature)

    def _other(self, order: ApprovedOrder, at_ms: int) -> bytes:
        instrument = self._instruments[order.instrument]
        if order.type is OrderType.STOP_MARKET:
            return self.signed("POST", "/fapi/v1/algoOrder", stop_params(order, instrument, self.terms), at_ms)
        return self.signed("POST", "/fapi/v1/order", order_params(order, instrument, self.terms), at_ms)

    def cancel(self, instrument: int, client_id: str, at_ms: int) -> bytes:
        params = (
            ("symbol", self._instruments[instrument].symbol), ("origClientOrderId", client_id),
            ("recvWindow", str(READ_WINDOW_MS)),
        )  # fmt: skip
        return self.signed("DELETE", "/fapi/v1/order", params, at_ms)

    def cancel_stop(self, client_id: str, at_ms: int) -> bytes:
        params = (("clientAlgoId", client_id), ("recvWindow", str(READ_WINDOW_MS)))
        return self.signed("DELETE", "/fapi/v1/algoOrder", params, at_ms)

    # -- everything else --------------------------------------------------------------------------------------

    def signed(self, method: str, path: str, params: Params, at_ms: int) -> bytes:
        """A signed request; ``params`` without timestamp. In the query, or in the body where there is one."""
        payload = encoded((*params, ("timestamp", str(at_ms))))
        text = payload + b"&signature=" + self._signer.sign(payload)
        if method in ("POST", "PUT"):
            return self._head(method, path) + self._form % len(text) + text
        return self._head(method, path, text) + b"\r\n"

    def keyed(self, method: str, path: str) -> bytes:
        """A request that names the key and signs nothing (listenKeys)."""
        length = b"" if method in ("GET", "DELETE") else b"Content-Length: 0\r\n"
        return self._head(method, path) + length + b"\r\n"

    def public(self, path: str) -> bytes:
        """A request for anybody."""
        return b"GET " + path.encode() + b" HTTP/1.1\r\n" + self._host + b"\r\n"

    def _head(self, method: str, path: str, query: bytes = b"") -> bytes:
        target = path.encode() + (b"?" + query if query else b"")
        return method.encode() + b" " + target + b" HTTP/1.1\r\n" + self._keyed


def _market_body(instrument: Instrument, side: Side, reduce_only: bool, terms: Terms) -> bytes:
    """A market order's body with places for quantity, client id and timestamp."""
    body = b"symbol=%b&side=%b&type=MARKET&quantity=" % (
        quote(instrument.symbol, safe="").encode(), side.name.encode(),
    )  # fmt: skip
    tail = b"&recvWindow=%d&timestamp=" % terms.recv_window_ms
    first = b"&reduceOnly=true&newClientOrderId=" if reduce_only else b"&newClientOrderId="
    second = b"&newOrderRespType=ACK" + (b"" if reduce_only else b"&selfTradePreventionMode=EXPIRE_TAKER")
    return b"%b".join(part.replace(b"%", b"%%") for part in (body, first, second + tail)) + b"%d"
