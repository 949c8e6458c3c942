"""Secrets: where from, and never shown."""

import pickle

import pytest

from config.secret import Secret, load_secret
from models.error import ConfigurationError

NAME = "telegram_token"


def give(folder, text, mode=0o600):
    """A secret's file in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def found(tmp_path, **environment):
    """What is found with this environment, all places below the test's folder."""
    return load_secret(NAME, tmp_path / "data", environment, tmp_path / "run")


def test_none_is_none(tmp_path):
    """Nobody gave a secret: None."""
    assert found(tmp_path) is None


def test_first_place_wins(tmp_path):
    """The places are asked in their order, the plain variable last."""
    environment = {
        "SCALPER_TELEGRAM_TOKEN_FILE": str(give(tmp_path / "named", "one")),
        "CREDENTIALS_DIRECTORY": str(give(tmp_path / "systemd", "two").parent),
        "SCALPER_TELEGRAM_TOKEN": "five",
    }
    give(tmp_path / "run", "three")
    give(tmp_path / "data" / "secrets", "four")
    seen = [found(tmp_path, **environment).reveal()]
    for name in ("SCALPER_TELEGRAM_TOKEN_FILE", "CREDENTIALS_DIRECTORY"):
        del environment[name]
        seen.append(found(tmp_path, **environment).reveal())
    (tmp_path / "run" / NAME).unlink()
    seen.append(found(tmp_path, **environment).reveal())
    (tmp_path / "data" / "secrets" / NAME).unlink()
    seen.append(found(tmp_path, **environment).reveal())
    assert seen == ["one", "two", "three", "four", "five"]


def test_file_readable_by_others_is_refused(tmp_path):
    """A secret in the data folder must belong to its owner alone."""
    give(tmp_path / "data" / "secrets", "x", 0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        found(tmp_path)


@pytest.mark.parametrize("content", ["", "  \n", "x" * 20_000])
def test_empty_or_huge_files_are_refused(tmp_path, content):
    """A file that cannot be a secret is refused, and its content is not repeated."""
    path = give(tmp_path / "named", content)
    with pytest.raises(ConfigurationError, match="must hold the secret alone") as caught:
        found(tmp_path, SCALPER_TELEGRAM_TOKEN_FILE=str(path))
    assert "xxx" not in caught.value.message


def test_missing_named_file_is_an_error(tmp_path):
    """A named file that is absent does not fall through to the next place."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        found(tmp_path, SCALPER_TELEGRAM_TOKEN_FILE=str(tmp_path / "no"), SCALPER_TELEGRAM_TOKEN="x")


def test_a_secret_never_shows_itself():
    """No way of printing a secret prints it, and it cannot be written."""
    secret = Secret("hunter2", "test")
    assert {f"{secret}", repr(secret), str([secret]), f"{secret:>3}"} == {"***", "[***]"}
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)


def test_unknown_names_are_a_mistake_of_the_program():
    """Asking for a secret that does not exist raises ValueError."""
    with pytest.raises(ValueError, match="not a secret's name"):
        load_secret("password", None)
