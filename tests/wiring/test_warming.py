"""Nothing compiles while a market moves: what ``wiring.warm`` leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COLD = """
import sys
from numba.core.dispatcher import Dispatcher
from config.settings import Settings
import wiring
from interface.commands import demo

wiring.warm(Settings())
house = {name: vars(module) for name, module in sys.modules.items() if name.split(".")[0] in %r}
kernels = {name for name, found in house.items() for one in found.values()
           if isinstance(one, Dispatcher) and one.py_func.__module__ == name}
for name, found in house.items():
    for word, one in found.items():
        if name not in kernels and isinstance(one, Dispatcher) and not one.signatures:
            print(name, word)
"""
ROOMS = ("core", "data_collector", "exchange", "storage", "interface", "wiring")
ONLY_IN_KERNELS = ("core.kernels.clearance",)  # its kernel is a bare entry; the names it holds are called by kernels


def test_warming_leaves_no_kernel_cold() -> None:
    """After it every kernel that Python calls is compiled or loaded, refusals and the recorder's checksums included."""
    run = subprocess.run(
        [sys.executable, "-c", COLD % (ROOMS,)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SCALPER_NO_BOOTSTRAP": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    cold = [line for line in run.stdout.splitlines() if line.split()[0] not in ONLY_IN_KERNELS]
    assert cold == []
