"""F60: the process dies between deciding, sending and hearing; at points numbered by the record that comes next.

The journal keeps what it had, the sockets end, and another run starts on the same folder. Real SIGKILLs are the kill
campaign's; here the point is exact.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import uvloop

from models.action import Submit
from models.event import Fill, OrderReport
from models.order import Purpose
from storage.cold.keeper import kept
from tests.faults.real_run import Bot, Scene, exchange


class Killed(BaseException):
    """The process is no more."""


class Fuse:
    """A keeper that dies at its ``number``-th record that ``meets``, ``before`` or after it is kept."""

    def __init__(self, keeper: Any, meets: Any, *, before: bool, number: int = 1) -> None:
        self._keeper, self._meets, self._before, self._left = keeper, meets, before, number
        self.blown = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._keeper, name)

    def event(self, event: Any, frame: int) -> None:
        self._kept(self._keeper.event, event, frame)

    def action(self, action: Any, frame: int) -> None:
        self._kept(self._keeper.action, action, frame)

    def _kept(self, keep: Any, what: Any, frame: int) -> None:
        if self.blown:
            raise Killed
        if self._meets(what):
            self._left -= 1
            if not self._left:
                self.blown = True
                if not self._before:
                    keep(what, frame)
                raise Killed
        keep(what, frame)


def sent(purpose: Purpose) -> Any:
    return lambda what: isinstance(what, Submit) and what.order.purpose is purpose


def word(what: Any) -> bool:
    return isinstance(what, OrderReport)


def execution(what: Any) -> bool:
    return isinstance(what, Fill)


POINTS = [
    ("before the intent", sent(Purpose.ENTRY), True, 1),
    ("intent kept, nothing sent", sent(Purpose.ENTRY), False, 1),
    ("sent, no word kept", word, True, 1),
    ("filled, fill not kept", execution, True, 1),
    ("fill kept, stop not", sent(Purpose.STOP), True, 1),
    ("stop kept, not sent", sent(Purpose.STOP), False, 1),
    ("exit kept, not sent", sent(Purpose.EXIT), False, 1),
    ("exit filled, fill not kept", execution, True, 2),
]


@pytest.mark.parametrize(("meets", "before", "number"), [point[1:] for point in POINTS], ids=[p[0] for p in POINTS])
def test_whatever_was_under_way_gets_a_verdict(tmp_path: Path, meets: Any, before: bool, number: int) -> None:
    """After the restart both sides hold the same, a position has one stop, no intent was placed twice, every order at
    the venue had an earlier intent on the disk, and the bot comes back to normal."""

    async def run() -> None:
        async with exchange(speed=10.0) as venue:
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.normal()
                fuse = Fuse(bot.parts.keeper, meets, before=before, number=number)
                scene.session._keeper = fuse

                def goes_on() -> bool:
                    try:
                        if scene.can_enter and not scene.own(Purpose.ENTRY):
                            scene.enter()
                        elif scene.protected:
                            scene.leave()
                    except Killed:
                        assert fuse.blown
                    return fuse.blown

                await scene.until(goes_on, "the point")
                first = scene._path()
            async with Bot(venue, tmp_path, speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.until(lambda: scene.engine.custody.ready, "the account read and settled")
                await scene.until(lambda: scene.protected or scene.clean, "protected, or flat and clean")
                assert scene.lots == scene.held and len(scene.stops) <= 1
                intents = [one.order.client_id for _, one in kept(first) if isinstance(one, Submit)]
                intents += [one.order.client_id for one in scene.journaled("Submit")]
                placed = [name for purpose in Purpose for name in scene.placed(purpose)]
                assert set(placed) <= set(intents) and len(intents) == len(set(intents))
                assert len(scene.placed(Purpose.ENTRY)) <= 1
                await scene.until(lambda: not scene.causes, "nothing in the way")

    uvloop.run(run())
