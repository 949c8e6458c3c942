"""Writes docs/faults.md from the tests themselves: ``python -m tests.faults.table``.

A fault's title is the docstring of its file, its results are the claims of its tests. What cannot be shown here, or not
all of it, stands in ``REASONS`` and ``LIMITS`` with why. A house test checks that the document is current.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.faults.reasons import LIMITS, REASONS

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parents[1] / "docs" / "faults.md"
FAULTS = tuple(f"F{number:02}" for number in range(1, 82))
HEAD = """# Faults

Every fault of the catalogue, by its number, with the tests that inject it and what they prove. Written by
`python -m tests.faults.table` from `tests/faults/`; a test of the house rules checks that it is current.

«Shown» means: injected into the real parts, the required behaviour asserted, on every run of the default suite. F01 to
F16 disturb the market streams of a fake venue, from F17 on mostly a whole bot on the embedded exchange
(`tests/faults/real_run.py`). «Elsewhere» names the test that shows it outside that folder.

| Fault | What happens | Result | Tests |
|---|---|---|---|
"""


class Shown(NamedTuple):
    """One file: its fault, its title, its tests with their claims; ``named`` when its docstring begins as it must."""

    fault: str
    named: bool
    title: str
    path: Path
    claims: tuple[tuple[str, str], ...]


def _claims(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield node.name, " ".join((ast.get_docstring(node) or "").split())


def shown() -> list[Shown]:
    """Every test file of a fault, in order."""
    found = []
    for path in sorted(HERE.glob("test_F[0-9][0-9]_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        first = " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())
        fault = path.name[5:8]
        title = first.removeprefix(f"{fault}: ")
        found.append(Shown(fault, title != first, title[:1].upper() + title[1:], path, tuple(_claims(tree))))
    return found


def missing() -> list[str]:
    """Faults with neither a test nor a reason."""
    tested = {one.fault for one in shown()}
    return [fault for fault in FAULTS if fault not in tested and fault not in REASONS]


def text() -> str:
    """The document."""
    files: dict[str, list[Shown]] = {}
    for one in shown():
        files.setdefault(one.fault, []).append(one)
    rows, claims = [], []
    for fault in FAULTS:
        here = files.get(fault, [])
        if not here:
            title, reason = REASONS.get(fault, ("", "no test and no reason"))
            rows.append(f"| {fault} | {title} | {reason} | |")
            continue
        result = "shown" if fault not in LIMITS else f"shown; {LIMITS[fault]}"
        names = ", ".join(f"[{one.path.name}](../tests/faults/{one.path.name})" for one in here)
        rows.append(f"| {fault} | {here[0].title} | {result} | {names} |")
        claims.append(f"\n## {fault}\n\n{here[0].title}\n")
        claims += [f"- {claim} (`{name}`)" for one in here for name, claim in one.claims]
    return HEAD + "\n".join(rows) + "\n" + "\n".join(claims) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), encoding="utf-8")
