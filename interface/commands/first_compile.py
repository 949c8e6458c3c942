"""The first start compiles for some 24 s, all in one process; a second process beside it saves a third of that.

It compiles the exchange while we compile the decoder; both keep what they made in the same cache (writes are atomic),
so that each finds there what the other has finished. Later starts find the cache and begin nothing.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

MODULE = "exchange.simulated.venue"


def begin(root: Path, cache: Path) -> subprocess.Popen[bytes] | None:
    """Start the second process when ``cache`` holds nothing of the exchange yet. It ends by itself; never an error."""
    if any(cache.glob(f"{MODULE.rpartition('.')[2]}-*")):
        return None
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            [sys.executable, "-c", f"import {MODULE}"],
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return None
