"""``status``: what the running bot says of itself."""

from __future__ import annotations

import argparse
from typing import Any

from interface.control.client import connected
from interface.control.place import folder_of
from interface.control.words import tell


def run(arguments: argparse.Namespace, settings: None) -> int:
    with connected(folder_of(arguments)) as line:
        document = line.ask("status")
    tell(arguments, document, text(document))
    return 0


def text(document: dict[str, Any]) -> str:
    """The status as a person reads it; of a run that is still starting what there is."""
    head = [
        f"Scalper {document['version']}",
        document["mode"].upper(),
        *([document["feed"]] if "feed" in document else []),
    ]
    lines = [f"{' · '.join(head)} · {document['phase']} for {document['uptime_s']:,.0f} s, pid {document['pid']}"]
    if "operating" not in document:
        return lines[0]
    causes = "; ".join(f"{cause}: {detail}" for cause, detail in document["blocked_by"].items())
    lines.append(f"  Operating  {document['operating']}{f' ({causes})' if causes else ''}")
    for symbol in document["symbols"]:
        quote = document["quote"][symbol]
        touch = f"{quote['bid']} / {quote['ask']}" if quote else "no book"
        told = (document[name][symbol] for name in ("decision", "data_trust", "hypothesis"))
        lines.append(f"  Market     {symbol} {touch}, {', '.join(told)}")
    for symbol, held in document["position"].items():
        stop = f"stop {held['stop']}" if held["stop"] else "no stop"
        what = f"{symbol} {held['side']} {held['qty']} @ {held['entry']}"
        lines.append(f"  Position   {what}, {stop}, open profit {held['profit']} USDT")
    if not document["position"]:
        lines.append("  Position   none")
    lines += [f"  Order      {order_text(order)}" for order in document["orders"]]
    run, today = document["run"], document["today"]
    lines += [
        f"  Run        {run['signals']} signals, {run['trades']} round trips "
        f"({run['wins']} won, {run['losses']} lost), net {run['net']} USDT",
        f"  Today      net {today['net']} USDT, fees {today['fees']} USDT",
        f"  Equity     {document['equity']} USDT",
        f"  Files      {document['folder']}",
    ]
    return "\n".join(lines)


def order_text(order: dict[str, Any]) -> str:
    """One living order in words."""
    price = f" @ {order['price']}" if order["price"] else ""
    return f"{order['symbol']} {order['side']} {order['type']} {order['qty']}{price}, {order['status']}"
