"""F76: a strategy that dumps everything it can reach finds no key."""

from __future__ import annotations

import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from config.settings import Settings
from core.strategies.strategy import Decline, View
from models.order import Intent
from tests.faults.real_run import Scene, Scripted, running

PLAIN = (int, float, bool, type(None), types.ModuleType, type)


def parts_of(one: Any) -> Iterable[Any]:
    """What hangs below an object: items, attributes, slots, the bound self and the closure of a function."""
    if isinstance(one, dict):
        return [*one.keys(), *one.values()]
    if isinstance(one, list | tuple | set | frozenset):
        return list(one)
    found = list(getattr(one, "__dict__", {}).values())
    for kind in type(one).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        found += [getattr(one, name, None) for name in ((slots,) if isinstance(slots, str) else slots)]
    if isinstance(one, types.MethodType):
        found.append(one.__self__)
    if isinstance(one, types.FunctionType):
        found += [cell.cell_contents for cell in one.__closure__ or ()]
        found += one.__defaults__ or ()
    return found


def dumped(*roots: Any) -> list[tuple[str, Any]]:
    """Every text and byte string below ``roots``, each with the type that holds it."""
    texts: list[tuple[str, Any]] = []
    seen: set[int] = set()
    todo = [("root", root) for root in roots]
    kept = []  # so that no id is used twice
    while todo:
        holder, one = todo.pop()
        if id(one) in seen or isinstance(one, PLAIN):
            continue
        seen.add(id(one))
        kept.append(one)
        if isinstance(one, str | bytes | bytearray):
            texts.append((holder, bytes(one) if isinstance(one, bytearray) else one))
            continue
        name = holder if isinstance(one, dict | list | tuple) else type(one).__name__
        todo += [(name, part) for part in parts_of(one)]
    return texts


def holders(texts: list[tuple[str, Any]], canary: str) -> set[str]:
    raw = canary.encode()
    return {holder for holder, one in texts if (canary in one if isinstance(one, str) else raw in one)}


class Dumping(Scripted):
    """Looks at everything it is given, and at itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, Any]] = []

    def decide(self, view: View) -> Intent | Decline | None:
        self.found = dumped(view, vars(self).get("next"), type(self).__mro__)
        return super().decide(view)


def test_what_a_strategy_reaches_has_no_key(tmp_path: Path) -> None:
    """Everything below the strategy's questions and the whole core beside it: neither key nor secret. In the whole bot
    the key is held by signer and connections, and the secret's text by nobody: the signer keeps hashed states."""

    async def script(scene: Scene) -> None:
        dumping = Dumping()
        scene.engine.strategy = dumping
        scene.bot.strategy = dumping
        await scene.open()
        key = scene.exchange.venue.key()
        assert len(dumping.found) > 3
        for texts in (dumping.found, dumped(scene.engine, scene.session.engine.settings)):
            assert holders(texts, key.key) == holders(texts, key.secret) == set()
        whole = dumped(scene.parts, scene.bot.side)
        assert len(whole) > 100
        assert holders(whole, key.key), "the search finds what is there"
        assert holders(whole, key.secret) == set()

    running(script, tmp_path)


def test_settings_have_no_place_for_a_secret() -> None:
    """No setting takes a key or a token: neither the values nor the effective file of a run could carry one."""
    names: list[str] = []
    todo: list[Any] = [msgspec.to_builtins(Settings())]
    while todo:
        for name, value in todo.pop().items():
            names.append(name)
            todo += [value] if isinstance(value, dict) else []
    assert len(names) > 100
    assert [name for name in names if any(word in name for word in ("key", "secret", "token", "password"))] == []
