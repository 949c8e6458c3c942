"""Where a bot is found: by the same settings that the bot itself was started with, and nothing but the library."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as checked
from hypothesis import strategies as st

from config.load import load
from interface.commands.parser import parse, setting_options
from interface.control.place import ADDRESS_BYTES_MAX, address, folder_of, holder
from models.error import ConfigurationError
from storage.cold.instance import InstanceLock

NAMES = st.sampled_from(["", "a", "b c", "'q'"])
MODE = st.sampled_from(["", "paper", "live", "testnet"])
VARIABLES = ("SCALPER_DATA_DIR", "SCALPER_APP__DATA_DIR", "SCALPER_MODE", "SCALPER_APP__MODE")


@checked(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    given_=st.tuples(NAMES, NAMES, MODE, MODE), file=st.tuples(NAMES, MODE), option=st.tuples(NAMES, MODE),
    override=st.tuples(NAMES, MODE), named=st.booleans(),
)  # fmt: skip
def test_it_agrees_with_the_settings(
    alone: Path, given_: tuple[str, ...], file: tuple[str, str], option: tuple[str, str], override: tuple[str, str],
    named: bool,
) -> None:  # fmt: skip
    """Whatever names the folder, at whatever layer, the bot and whoever talks to it go to the same place."""
    words = ["status"]
    path = alone / ("named.toml" if named else "scalper.toml")
    for old in alone.glob("*.toml"):
        old.unlink()
    keys = [f'{key} = "{value}"' for key, value in zip(("data_dir", "mode"), file, strict=True) if value]
    path.write_text("[app]\n" + "\n".join(keys))
    words += ["--config", str(path)] if named else []
    words += [
        word for name, value in zip(("--data-dir", "--mode"), option, strict=True) if value for word in (name, value)
    ]
    for key, value in zip(("data_dir", "mode"), override, strict=True):
        words += ["--set", f"app.{key}={value}"] if value else []
    arguments = parse(words)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(VARIABLES, given_, strict=True):
            patch.setenv(name, value) if value else patch.delenv(name, raising=False)
        options = setting_options(arguments)
        app = load(configs=arguments.config, overrides=arguments.set, options=options).settings.app
        assert folder_of(arguments) == Path(app.data_dir) / app.mode


@pytest.mark.parametrize("content", [b"[app\n", b"\xff", None])
def test_a_file_that_is_none(alone: Path, content: bytes | None) -> None:
    """It stops the command unless the place is said in full: a kill must not wait for somebody to mend a file."""
    if content is not None:
        (alone / "x.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"x\.toml"):
        folder_of(parse(["kill", "--config", "x.toml"]))
    assert folder_of(parse(["kill", "--config", "x.toml", "--data-dir", "d", "--mode", "live"])) == Path("d/live")


@pytest.mark.parametrize("depth", [1, 40])
def test_a_socket_may_lie_deep(tmp_path: Path, depth: int) -> None:
    """A path longer than the system allows for a socket is reached through the open folder."""
    folder = tmp_path.joinpath(*["folder"] * depth)
    folder.mkdir(parents=True)
    path = folder / "s"
    if depth > 1 and not Path("/proc/self/fd").is_dir():
        pytest.skip("this system has no /proc")
    assert (len(os.fsencode(path)) > ADDRESS_BYTES_MAX) or depth == 1
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        with address(path) as name:
            listener.bind(name)
        listener.listen()
        with address(path) as name:
            client.connect(name)
    assert path.is_socket()


def test_who_holds_the_lock(tmp_path: Path) -> None:
    """Nobody before and after, in between the process that the lock names; a file that says nothing is a holder too."""
    assert holder(tmp_path) is None
    with InstanceLock(tmp_path, started="now"):
        assert (holder(tmp_path) or {})["pid"] == os.getpid()
        (tmp_path / "instance.lock").write_bytes(b"{torn")
        assert holder(tmp_path) == {}
    assert holder(tmp_path) is None
