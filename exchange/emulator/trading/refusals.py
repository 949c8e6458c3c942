"""The trading machine's refusals: the venue's codes with their texts (venue reference §8, ``wire/errors-catalog``)."""

from __future__ import annotations

from exchange.emulator.errors import VenueError

TEXTS = {
    -1111: "Precision is over the maximum defined for this asset.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1121: "Invalid symbol.",
    -1122: "Invalid symbol status.",
    -1128: "Combination of optional parameters invalid.",
    -1136: "Invalid newOrderRespType.",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2018: "Balance is insufficient.",
    -2019: "Margin is insufficient.",
    -2020: "Unable to fill.",
    -2021: "Order would immediately trigger.",
    -2022: "ReduceOnly Order is rejected.",
    -2025: "Reach max open order limit.",
    -2027: "Exceeded the maximum allowable position at current leverage.",
    -2028: "Leverage is smaller than permitted: insufficient margin balance.",
    -4001: "Price less than 0.",
    -4002: "Price greater than max price.",
    -4003: "Quantity less than zero.",
    -4004: "Quantity less than min quantity.",
    -4005: "Quantity greater than max quantity.",
    -4006: "Stop price less than zero.",
    -4013: "Price less than min price.",
    -4014: "Price not increased by tick size.",
    -4015: "Client order id length should not be more than 36 chars",
    -4016: "Limit price can't be higher than {}.",
    -4023: "Qty not increased by step size.",
    -4024: "Limit price can't be lower than {}.",
    -4028: "Leverage {} is not valid",
    -4045: "Reach max stop order limit.",
    -4046: "No need to change margin type.",
    -4047: "Margin type cannot be changed if there exists open orders.",
    -4048: "Margin type cannot be changed if there exists position.",
    -4050: "Cross balance insufficient.",
    -4051: "Isolated balance insufficient.",
    -4053: "Auto add margin only support for isolated position.",
    -4054: "Cannot add position margin: position is 0.",
    -4055: "Amount must be positive.",
    -4059: "No need to change position side.",
    -4061: "Order's position side does not match user's setting.",
    -4062: "Invalid or improper reduceOnly value.",
    -4067: "Position side cannot be changed if there exists open orders.",
    -4068: "Position side cannot be changed if there exists position.",
    -4082: "Invalid number of batch place orders.",
    -4087: "User can only place reduce only order",
    -4088: "User can not place order currently",
    -4109: "This account is inactive. Please activate it before trading.",
    -4116: "ClientOrderId is duplicated.",
    -4117: "Stop order is in triggering process. Please try again later.",
    -4118: "ReduceOnly Order Failed. Please check your existing position and open orders",
    -4120: "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    -4130: "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    -4131: "The counterparty's best price does not meet the PERCENT_PRICE filter limit",
    -4136: "Target strategy invalid for orderType {},closePosition true",
    -4137: "Quantity must be zero with closePosition equals true",
    -4161: "Leverage reduction is not supported in Isolated Margin Mode with open positions.",
    -4164: "Order's notional must be no smaller than {} (unless you choose reduce only)",
    -4168: "Unable to adjust to isolated-margin mode under the Multi-Assets mode.",
    -4171: "Adjusted asset mode is currently set and does not need to be adjusted repeatedly.",
    -4509: "TIF GTE can only be used with open positions. Please ensure that positions are available.",
    -5021: "Due to the order could not be filled immediately, the FOK order has been rejected.",
    -5022: "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    -5024: "Symbol is not in trading status. Order amendment is not permitted.",
    -5025: "Only limit order is supported.",
    -5026: "Exceed maximum modify order limit.",
    -5027: "No need to modify the order.",
    -5029: "Order's notional must be no smaller than {}",
    -5037: "Invalid price match",
    -5038: "Price match only supports order type: LIMIT, STOP AND TAKE_PROFIT",
    -5039: "Invalid self trade prevention mode",
    -5040: "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than "
    "253402300799000",
    -5041: "No depth matches this BBO order",
    -5047: "The original order is not a reduce-only order",
}


def refusal(code: int, *values: object) -> VenueError:
    """The venue's refusal of that code; ``values`` go into its text."""
    return VenueError(400, code, TEXTS[code].format(*values))


def not_required(name: str) -> VenueError:
    """A parameter that this request must not carry."""
    return VenueError(400, -1106, f"Parameter '{name}' sent when not required.")


def no_order_named() -> VenueError:
    """A request about one order that names none."""
    return VenueError(400, -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
