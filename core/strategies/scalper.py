"""The scalper: enter when volume, imbalance and momentum agree; leave when volume fades, the book turns, at the stop.

The conditions run compiled (``core/kernels/conditions.py``); here the woken engine asks what to make of them. Long and
short are mirror images. Parameters and defaults: design §8.
"""

from __future__ import annotations

from config.settings import ScalperParams
from core.kernels.state import Exit, Ready, Wake
from core.strategies.strategy import Asks, Decline, View
from models.order import Intent, Purpose, Side

EXIT_REASONS = ((Exit.STOP, "stop_loss"), (Exit.REVERSAL, "book_reversal"), (Exit.FADE, "volume_faded"))
"""Exit bit → reason in records, in order of precedence."""


class Scalper:
    """See the module's text. Stateless: all windows live in the engine's memory."""

    name = "scalper"
    asks = Asks(on_trigger=True)

    def __init__(self, params: ScalperParams) -> None:
        self.params = params

    def decide(self, view: View) -> Intent | Decline | None:
        if view.bits & Wake.EXIT and view.position:
            bits = view.market.get("exit_bits")
            reason = next((name for bit, name in EXIT_REASONS if bits & bit), "exit_signal")
            side = Side.SELL if view.position > 0 else Side.BUY
            return Intent(view.instrument.index, side, Purpose.EXIT, reason)
        if view.bits & Wake.ENTRY:
            return self._entry(view)
        return None

    def _entry(self, view: View) -> Intent | Decline | None:
        side = view.market.get("entry_side")
        if side == 0:
            return None
        ready = view.market.get("ready")
        if ready != Ready.ALL:
            return Decline("WARMING_UP", warming_up(view, ready))
        if view.position:
            return Decline("IN_POSITION", f"holds {view.instrument.quantity_text(abs(view.position))}")
        if view.busy:
            return Decline("ORDER_PENDING", "an order of this instrument is on its way")
        if view.at_ns < view.cooldown_until_ns:
            return Decline("COOLDOWN", f"{(view.cooldown_until_ns - view.at_ns) / 1e9:.1f} s left")
        return Intent(
            view.instrument.index, Side.BUY if side > 0 else Side.SELL, Purpose.ENTRY, "volume_imbalance_momentum"
        )

    def state(self) -> dict[str, object]:
        return {}


def warming_up(view: View, ready: int) -> str:
    """Which windows are not full, with both numbers."""
    market = view.market
    parts = []
    if not ready & Ready.VOLUME:
        parts.append(f"volume {market.get('baseline_count')} of {market.get('baseline_bars')} bars")
    if not ready & Ready.IMBALANCE:
        parts.append("imbalance 0 of 1 frames")
    if not ready & Ready.MOMENTUM:
        parts.append(f"momentum {market.get('return_count')} of {market.get('momentum_samples_min')} seconds")
    return ", ".join(parts)
