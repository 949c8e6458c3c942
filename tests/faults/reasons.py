"""What the fault tests do not show, and why. A test of the fault replaces its reason in the table by itself."""

from __future__ import annotations

LATER = "not in this version: {} does not exist yet"
REASONS: dict[str, tuple[str, str]] = {
    "F67": (
        "Memory grows until the process is killed",
        "partly elsewhere: every collection is bounded (`tests/exchange/binance/test_assembly.py`, "
        "`tests/bench/memory.py`); a soak of 72 hours is no test of a suite",
    ),
    "F70": ("A Telegram outage stops trading", LATER.format("Telegram")),
    "F71": ("Telegram floods (429)", LATER.format("Telegram")),
    "F72": ("The wrong chat is obeyed", LATER.format("Telegram")),
    "F73": ("Old commands run again after a restart", LATER.format("Telegram")),
    "F74": ("The bot token in logs", LATER.format("Telegram")),
    "F77": ("A dashboard without credentials", LATER.format("the dashboard")),
    "F78": ("Bind address, CORS, CSRF, DNS rebinding", LATER.format("the dashboard")),
    "F79": ("Interface or metrics work slows trading", LATER.format("the dashboard")),
    "F80": (
        "A look-alike package",
        "elsewhere: dependencies are pinned by hash (`requirements.lock`); hosts are kept apart by mode "
        "(`tests/config/test_rules.py`)",
    ),
}
"""Fault → title, and why no test of its own stands here."""

LIMITS: dict[str, str] = {
    "F17": "an entry whose absence is proven is not sent again, since its signal is old; exits and stops are",
    "F19": "the alarm is the cause EXIT_LATE in log and records: no channel to a person exists yet",
    "F25": "an exit refused for margin is repeated; the venue's stop is the fallback, not another order",
    "F26": "«own resting exits use it up» cannot happen: the bot rests no exit beside its stop",
    "F28": "sizes come from live filters, with random ones in `tests/core/risk/test_sizing.py`",
    "F29": "changed rules block entries until a restart takes them; nothing is retried with half-known rules",
    "F30": "the futures interface does not tell a key's withdrawal right; the check needs the wallet interface",
    "F32": "the bot has no cancel-replace call; cancel and next order are shown as two legs",
    "F35": "what is journaled before handling is the fact made of the event; raw private frames are not kept",
    "F39": "lags up to forty seconds; nothing in the path depends on how late",
}
"""Fault → what of it is not shown, beside a test."""
