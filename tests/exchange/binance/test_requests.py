"""Requests as bytes: signed over exactly what is sent, the signature last, numbers as the venue writes them."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.binance.requests import RestRequests, Terms, encoded, order_params, quantity_format, stop_params
from exchange.emulator.signatures import signed_payload
from models.error import ConfigurationError
from models.instrument import Instrument
from models.order import ApprovedOrder, OrderType, Purpose, Side, TimeInForce
from tests.contract import INSTRUMENT
from tests.exchange.binance.desk import KEY, SECRET, SIGNER, a_stop, an_exit, an_order

URL = "https://fapi.binance.com"
AT_MS = 1_789_478_303_600
KOREAN = msgspec.structs.replace(INSTRUMENT, symbol="币안 100%USDT", index=1)


def requests(*instruments: Instrument, **terms: Any) -> RestRequests:
    return RestRequests(URL, SIGNER, instruments or (INSTRUMENT,), Terms(**terms))


def parts(request: bytes) -> tuple[str, str, bytes, bytes, dict[str, str]]:
    """(method, path, query, body, headers) of whole request bytes; fails when the length is wrong."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    method, target, version = lines[0].split(" ")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    path, _, query = target.partition("?")
    assert version == "HTTP/1.1"
    assert len(body) == int(headers.get("Content-Length", "0"))
    return method, path, query.encode(), body, headers


def signature_holds(request: bytes) -> bool:
    """Whether the signature is the secret's over the bytes that are sent, and is the last parameter."""
    _, _, query, body, _ = parts(request)
    payload, signature = signed_payload(query, body)
    assert (query + body).endswith(b"&signature=" + signature)
    return hmac.new(SECRET.encode(), payload, hashlib.sha256).hexdigest().encode() == signature


def test_a_market_entry_byte_by_byte() -> None:
    """A market entry is one form, with ACK, self-trade protection, the short window and the venue's time."""
    method, path, query, body, headers = parts(requests().order(an_order(), AT_MS))
    assert (method, path, query) == ("POST", "/fapi/v1/order", b"")
    assert body.rpartition(b"&")[0] == (
        b"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&newClientOrderId=scabcdefghe000001&newOrderRespType=ACK"
        b"&selfTradePreventionMode=EXPIRE_TAKER&recvWindow=1000&timestamp=1789478303600"
    )
    assert headers["Host"] == "fapi.binance.com"
    assert headers["X-MBX-APIKEY"] == KEY
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_an_exit_is_marked_as_reducing_and_is_never_stopped_by_an_own_order() -> None:
    """An exit says reduceOnly (the venue exempts it from throttling) and leaves self-trade protection alone."""
    _, _, _, body, _ = parts(requests().order(an_exit(), AT_MS))
    assert b"&reduceOnly=true&" in body
    assert b"selfTradePreventionMode" not in body


orders = st.builds(
    an_order,
    st.integers(0, 999_999),
    instrument=st.integers(0, 1),
    side=st.sampled_from(Side),
    quantity=st.integers(1, 10**9),
    reduce_only=st.booleans(),
    purpose=st.sampled_from(Purpose),
    type=st.sampled_from(OrderType),
    time_in_force=st.sampled_from(TimeInForce),
    price=st.integers(1, 10**9),
    trigger=st.integers(1, 10**9),
)


@given(orders, st.integers(10**12, 10**13 - 1), st.booleans())
def test_every_order_is_signed_over_exactly_the_bytes_sent(order: ApprovedOrder, at_ms: int, closes: bool) -> None:
    """Whatever the order and the symbol, the signature holds over the encoded text, and the length is right."""
    made = requests(INSTRUMENT, KOREAN, stop_closes_position=closes)
    assert signature_holds(made.order(order, at_ms))


@given(orders, st.integers(10**12, 10**13 - 1))
def test_the_prepared_form_says_what_the_general_one_says(order: ApprovedOrder, at_ms: int) -> None:
    """The quick way of a market order and the general way have the same parameters in the same order."""
    order = msgspec.structs.replace(order, type=OrderType.MARKET)
    instruments = (INSTRUMENT, KOREAN)
    _, _, _, body, _ = parts(requests(*instruments).order(order, at_ms))
    params = [*order_params(order, instruments[order.instrument], Terms()), ("timestamp", str(at_ms))]
    assert body.rpartition(b"&")[0] == encoded(params)


@given(st.integers(0, 8), st.integers(0, 8), st.integers(1, 10**12))
def test_quantities_are_written_as_the_instrument_writes_them(places: int, coarser: int, lots: int) -> None:
    """The quick text of a quantity is ``Instrument.quantity_text``, for every number of places."""
    lot_e8 = 10 ** (8 - places) * 10 ** min(coarser, places)
    one = msgspec.structs.replace(INSTRUMENT, tick_e8=10**8, lot_e8=lot_e8, quantity_places=places)
    assert quantity_format(one)(lots).decode() == one.quantity_text(lots)


def test_a_lot_finer_than_its_places_is_refused() -> None:
    """An instrument whose lot cannot be written with its places is a mistake at the start, not at an order."""
    one = msgspec.structs.replace(INSTRUMENT, tick_e8=10**8, lot_e8=15, quantity_places=3)
    with pytest.raises(ConfigurationError, match="more than 3 decimals"):
        quantity_format(one)


def test_a_limit_order_says_price_and_time_in_force() -> None:
    """An immediate limit order carries both, a market order neither."""
    order = an_order(type=OrderType.LIMIT, time_in_force=TimeInForce.IOC, price=770_001)
    params = dict(order_params(order, INSTRUMENT, Terms()))
    assert (params["timeInForce"], params["price"], params["type"]) == ("IOC", "77000.1", "LIMIT")


def test_a_stop_goes_to_the_algo_service_and_can_only_reduce() -> None:
    """A protective stop is a conditional STOP_MARKET with triggerPrice, on the algo path (F51)."""
    method, path, _, body, _ = parts(requests().order(a_stop(), AT_MS))
    assert (method, path) == ("POST", "/fapi/v1/algoOrder")
    assert body.rpartition(b"&")[0] == (
        b"algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&quantity=0.010&reduceOnly=true"
        b"&triggerPrice=76000.0&workingType=MARK_PRICE&clientAlgoId=scabcdefghs000003&newOrderRespType=ACK"
        b"&recvWindow=1000&timestamp=1789478303600"
    )


def test_a_stop_that_closes_the_position_names_no_quantity() -> None:
    """closePosition excludes quantity and reduceOnly, which the venue refuses beside it."""
    terms = Terms(stop_closes_position=True, working_type="CONTRACT_PRICE", price_protect=True)
    params = dict(stop_params(a_stop(), INSTRUMENT, terms))
    assert not {"quantity", "reduceOnly"} & set(params)
    assert (params["closePosition"], params["workingType"], params["priceProtect"]) == (
        "true",
        "CONTRACT_PRICE",
        "true",
    )


def test_cancels_name_the_order_in_the_query() -> None:
    """A cancel carries our client id and no body; a stop's cancel names its own kind of id and no symbol."""
    plain = parts(requests().cancel(0, "sce1", AT_MS))
    stop = parts(requests().cancel_stop("scs1", AT_MS))
    assert plain[:2] == ("DELETE", "/fapi/v1/order")
    assert plain[2].startswith(b"symbol=BTCUSDT&origClientOrderId=sce1&recvWindow=5000&timestamp=")
    assert stop[:2] == ("DELETE", "/fapi/v1/algoOrder")
    assert stop[2].startswith(b"clientAlgoId=scs1&recvWindow=5000&timestamp=")
    assert plain[3] == stop[3] == b""


values = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE"]), st.lists(st.tuples(st.just("name"), values), max_size=4))
def test_any_text_travels_encoded_and_signed(method: str, params: list[tuple[str, str]]) -> None:
    """Parameters with any letters are percent-encoded before they are signed."""
    request = requests().signed(method, "/fapi/v1/income", params, AT_MS)
    assert request.isascii()
    assert signature_holds(request)


def test_a_listen_key_call_names_the_key_and_signs_nothing() -> None:
    """The private stream's key is asked for with the API key alone."""
    method, path, query, body, headers = parts(requests().keyed("POST", "/fapi/v1/listenKey"))
    assert (method, path, query, body, headers["X-MBX-APIKEY"]) == ("POST", "/fapi/v1/listenKey", b"", b"", KEY)


def test_a_probe_names_no_key() -> None:
    """What only keeps a line warm does not carry the key."""
    assert KEY.encode() not in requests().probe


@pytest.mark.parametrize("given", [{"working_type": "LAST"}, {"recv_window_ms": 0}, {"recv_window_ms": 5001}])
def test_terms_out_of_range_are_refused(given: dict[str, Any]) -> None:
    """A trigger price the venue does not have, or a window it would not take, is a configuration mistake."""
    with pytest.raises(ConfigurationError):
        Terms(**given)
