"""F62: the disk is full, or fails: while the journal grows, while it syncs, while records and summary are written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from core.risk.mode import Cause
from interface.commands import outcome
from models.order import Purpose
from storage.cold import journal
from tests.faults.real_run import Scene, running


def refusing(number: int) -> Any:
    """A system call that fails."""

    def call(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(
    ("where", "name", "number"),
    [(journal, "_sync_file", errno.EIO), (os, "posix_fallocate", errno.ENOSPC)],
    ids=["sync", "growth"],
)
def test_a_journal_that_cannot_keep_stops_entries_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Any, name: str, number: int
) -> None:
    """A failed sync, or no room for the next block, with a position open: entries stop with the reason, the stop stays,
    the exit leaves and is still on record; and a disk that works again makes nothing good."""

    async def script(scene: Scene) -> None:
        await scene.open()
        keeping = scene.parts.keeper._journal
        with monkeypatch.context() as disk:
            disk.setattr(where, name, refusing(number))
            if name == "posix_fallocate":
                while keeping._spares.qsize():
                    keeping._spares.get().close()
            await scene.until(lambda: keeping.failed, "the failure noticed")
            await scene.until(lambda: Cause.OPERATOR in scene.causes, "entries blocked")
        assert os.strerror(number) in scene.causes[Cause.OPERATOR]
        assert scene.protected
        scene.leave()
        await scene.until(lambda: scene.clean, "flat and clean")
        assert any(one.order.purpose is Purpose.EXIT for one in scene.journaled("Submit"))
        assert not scene.enter() and scene.refusal.startswith("OPERATOR")
        assert keeping.failed and not keeping.sync()

    running(script, tmp_path)


def test_records_and_summary_that_cannot_be_written_stop_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room for records while trading and for the summary at the end: round trips go on, nothing is raised, and the
    end says what is missing."""

    async def script(scene: Scene) -> None:
        write, files = os.write, {lines.descriptor for lines in scene.parts.files._lines.values()}

        def full(descriptor: int, data: Any) -> int:
            if descriptor in files:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(descriptor, data)

        with monkeypatch.context() as disk:
            disk.setattr(os, "write", full)
            await scene.open()
            await scene.until(lambda: scene.parts.files.problem, "the refusal noticed")
            scene.leave()
            await scene.until(lambda: scene.clean, "flat and clean")
            assert scene.records("trades") and not scene.causes
            disk.setattr(os, "replace", refusing(errno.ENOSPC))
            await scene.bot.stop()
            document = outcome.finish(scene.parts, started_ns=0, ended_ns=scene.bot.clock.now_ns(), config="")
        assert document["records_lost"] > 0 and "summary cannot be written" in document["records_problem"]

    running(script, tmp_path)
