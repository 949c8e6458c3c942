"""Reading and checking of request parameters and orders: the venue's filters and codes (reference §4.3 to §4.5, §8).

What is checked here depends on the request and the contract only; what depends on the moment (margin, the book, other
orders) is the engine's.
"""

from __future__ import annotations

import re

from exchange.emulator.errors import VenueError, illegal, missing
from exchange.emulator.parameters import Params, integer, needed
from exchange.emulator.trading.account import Account
from exchange.emulator.trading.contract import Contract
from exchange.emulator.trading.pit import Pit
from exchange.emulator.trading.refusals import not_required, refusal
from exchange.emulator.trading.texts import SIDES, short, value_e8
from models.instrument import Instrument, to_e8

CLIENT_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
NUMBER = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_CLIENT_ID, _NUMBER = re.compile(CLIENT_ID), re.compile(r"^-?([0-9]{1,20})(\.[0-9]{1,20})?$")
TIMES = ("GTC", "IOC", "FOK", "GTX", "GTD", "RPI")
STP = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
PLACES = {"": 1, "5": 5, "10": 10, "20": 20}
PRICE_MATCHES = tuple(f"{kind}{place and '_'}{place}" for kind in ("OPPONENT", "QUEUE") for place in PLACES)
GOOD_TILL_MIN_MS, GOOD_TILL_MAX_MS = 600_000, 253_402_300_799_000


def flag(params: Params, name: str) -> bool | None:
    """A boolean text; None when it was not sent. Raises VenueError (-1102)."""
    text = params.get(name)
    if text is None:
        return None
    if text.lower() not in ("true", "false"):
        raise missing(name)
    return text.lower() == "true"


def chosen(params: Params, name: str, allowed: tuple[str, ...], usual: str, refused: VenueError) -> str:
    """One of a list; ``usual`` when it was not sent."""
    text = params.get(name, usual)
    if text not in allowed:
        raise refused
    return text


def decimal_e8(params: Params, name: str, places: int) -> int | None:
    """A decimal at 1e-8; None when it was not sent. Raises VenueError (-1102, -1100, -1111)."""
    text = params.get(name)
    if text is None:
        return None
    if not text:
        raise missing(name)
    if not _NUMBER.match(text):
        raise illegal(name, NUMBER)
    whole, _, part = text.partition(".")
    part = part.rstrip("0")
    if len(part) > places:
        raise refusal(-1111)
    return to_e8(f"{whole}.{part}" if part else whole)


def client_id(params: Params, name: str, pit: Pit) -> str:
    """The client's own id, or a new one. Raises VenueError (-4015, -1100)."""
    text = params.get(name)
    if not text:
        return pit.ids.client()
    if len(text) > 36:
        raise refusal(-4015)
    if not _CLIENT_ID.match(text):
        raise illegal(name, CLIENT_ID)
    return text


def side_of(params: Params) -> int:
    side = SIDES.get(needed(params, "side"))
    if side is None:
        raise refusal(-1117)
    return side


def position_side(params: Params, account: Account) -> str:
    """BOTH in one-way mode, LONG or SHORT in hedge mode. Raises VenueError (-4061)."""
    text = params.get("positionSide", "BOTH")
    if text not in (("LONG", "SHORT") if account.hedge else ("BOTH",)):
        raise refusal(-4061)
    return text


def reduce_only(params: Params, account: Account) -> bool:
    """Raises VenueError (-1106 in hedge mode, -4062)."""
    text = params.get("reduceOnly")
    if text is None:
        return False
    if account.hedge:
        raise not_required("reduceOnly")
    if text.lower() not in ("true", "false"):
        raise refusal(-4062)
    return text.lower() == "true"


def good_till_ms(params: Params, time_in_force: str, pit: Pit) -> int:
    """GTD's end in whole seconds. Raises VenueError (-1102, -1106, -5040)."""
    at_ms = integer(params, "goodTillDate")
    if time_in_force != "GTD":
        if at_ms:
            raise not_required("goodTillDate")
        return 0
    if at_ms is None:
        raise missing("goodTillDate")
    if not pit.now_ms() + GOOD_TILL_MIN_MS < at_ms < GOOD_TILL_MAX_MS:
        raise refusal(-5040)
    return at_ms // 1000 * 1000


def price_match(params: Params, limit: bool) -> str:
    """The price match mode, NONE without one. Raises VenueError (-5037, -5038, -1106)."""
    mode = params.get("priceMatch", "NONE")
    if mode == "NONE":
        return mode
    if mode not in PRICE_MATCHES:
        raise refusal(-5037)
    if not limit:
        raise refusal(-5038)
    if params.get("price"):
        raise not_required("price")
    return mode


def matched_price(contract: Contract, side: int, mode: str) -> int:
    """The price that ``priceMatch`` stands for. Raises VenueError (-5041)."""
    kind, _, place = mode.partition("_")
    price = contract.nth(-side if kind == "OPPONENT" else side, PLACES[place])
    if not price:
        raise refusal(-5041)
    return price


# -- filters -----------------------------------------------------------------------------------------------------------


def check_quantity(instrument: Instrument, quantity: int, *, market: bool) -> None:
    """LOT_SIZE or MARKET_LOT_SIZE. Raises VenueError (-4003, -4004, -4005, -4023)."""
    rules, lot = instrument.filters, instrument.lot_e8
    low = rules.market_quantity_min if market else rules.quantity_min
    high = rules.market_quantity_max if market else rules.quantity_max
    if quantity <= 0:
        raise refusal(-4003)
    if quantity < low * lot:
        raise refusal(-4004)
    if quantity > high * lot:
        raise refusal(-4005)
    if quantity % lot:
        raise refusal(-4023)


def check_price(instrument: Instrument, price: int) -> None:
    """PRICE_FILTER. Raises VenueError (-4001, -4002, -4013, -4014)."""
    rules, tick = instrument.filters, instrument.tick_e8
    if price <= 0:
        raise refusal(-4001)
    if price < rules.price_min * tick:
        raise refusal(-4013)
    if price > rules.price_max * tick:
        raise refusal(-4002)
    if price % tick:
        raise refusal(-4014)


def check_band(contract: Contract, side: int, price: int) -> None:
    """PERCENT_PRICE of a limit order. Raises VenueError (-4016, -4024)."""
    low, high = contract.band_e8()
    if side > 0 and price > high:
        raise refusal(-4016, short(high))
    if side < 0 and price < low:
        raise refusal(-4024, short(low))


def check_value(instrument: Instrument, price: int, quantity: int, code: int = -4164) -> None:
    """MIN_NOTIONAL. Raises VenueError (-4164, or -5029 for a modification)."""
    least = instrument.filters.notional_min_e8
    if value_e8(price, quantity) < least:
        raise refusal(code, short(least))


def needed_price(params: Params, instrument: Instrument, name: str = "price") -> int:
    price = decimal_e8(params, name, instrument.price_places)
    if price is None:
        raise missing(name)
    return price


def needed_quantity(params: Params, instrument: Instrument) -> int:
    quantity = decimal_e8(params, "quantity", instrument.quantity_places)
    if quantity is None:
        raise missing("quantity")
    return quantity
