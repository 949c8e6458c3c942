"""What the fault tests do not show, and why. A test of the fault replaces its reason in the table by itself."""

from __future__ import annotations

LATER = "not in this version: {} does not exist yet"
REASONS: dict[str, tuple[str, str]] = {
    "F70": ("A Telegram outage stops trading", LATER.format("Telegram")),
    "F71": ("Telegram floods (429)", LATER.format("Telegram")),
    "F72": ("The wrong chat is obeyed", LATER.format("Telegram")),
    "F77": ("A dashboard without credentials", LATER.format("the dashboard")),
    "F78": ("Bind address, CORS, CSRF, DNS rebinding", LATER.format("the dashboard")),
    "F79": ("Interface or metrics work slows trading", LATER.format("the dashboard")),
    "F80": (
        "A look-alike package",
        "elsewhere: dependencies are pinned by hash (`requirements.lock`); hosts are kept apart by mode "
        "(`tests/config/test_rules.py`)",
    ),
    "F81": (
        "The venue's contract changes on a date",
        "partly elsewhere: a start needs every stream to deliver (F02), two signed calls to be understood (F24) and "
        "protection to be placed (F51); the embedded exchange has the present contract only, no profile of one before",
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
    "F43": "a remainder below the venue's minimum leaves by a reduce-only market order, which has none",
    "F51": "the self-test of a stop before the first live entry is a check of `doctor`",
    "F60": "the points are exact, in one process: a SIGKILL hits none on purpose",
    "F63": "another host is another folder here: both know nothing of each other",
    "F64": "standing still is a held loop; a machine that sleeps for hours is not at hand",
    "F65": "after the end of a stuck process its supervisor starts it again (`docker-compose.yml`)",
    "F66": "how long a pause takes is measured by the benchmarks, not asserted",
    "F67": "bounds of the core; a soak of 72 hours is no test of a suite, and a limit of memory is the container's",
    "F73": "no command comes from outside the machine yet: Telegram does not exist",
    "F74": "at the log's sink: no bot exists yet",
}
"""Fault → what of it is not shown, beside a test."""
