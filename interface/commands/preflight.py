"""What must hold before a command that keeps records starts: a data folder that can be written, with room for a run."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from models.error import PreflightError

ROOM_BYTES_MIN = 8 << 20  # three journal blocks of 1 MiB and a chunk of the recording


def existing(folder: Path) -> Path:
    """``folder``, or the nearest one above it that exists."""
    here = folder
    while not os.path.lexists(here) and here != here.parent:
        here = here.parent
    return here


def cannot_write(folder: Path) -> str:
    """Empty when files can be written to ``folder``, or to the place where it would be made; else what is wrong."""
    here = existing(folder)
    try:
        if not here.is_dir():
            return f"{here} is not a folder"
        with tempfile.TemporaryFile(dir=here) as file:
            file.write(b"x")
    except OSError as error:
        return f"{here} cannot be written ({error.strerror})"
    return ""


def require_room(folder: Path) -> None:
    """Make ``folder`` where it is missing. Raises PreflightError when it cannot keep a run's records."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        problem = cannot_write(folder)
    except FileExistsError:
        problem = f"{folder} is not a folder"
    except OSError as error:
        problem = f"{folder} cannot be made ({error.strerror})"
    if problem:
        raise PreflightError(f"{problem}; choose another folder with --data-dir, or change its owner", code="DATA_DIR")
    free = shutil.disk_usage(folder).free
    if free < ROOM_BYTES_MIN:
        raise PreflightError(
            f"the disk of {folder} has {free / 1e6:.1f} MB left and a run needs {ROOM_BYTES_MIN / 1e6:.0f} MB; free "
            "some, or choose another disk with --data-dir",
            code="DISK_FULL",
        )
