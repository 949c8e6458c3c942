"""Secrets: read when asked for, from places with owners, and never printable.

First match wins: ``SCALPER_<NAME>_FILE`` → ``$CREDENTIALS_DIRECTORY/<name>`` → ``/run/secrets/<name>`` →
``<data_dir>/secrets/<name>`` (mode 600) → ``SCALPER_<NAME>``. Never in TOML, never on the command line.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from models.error import ConfigurationError

NAMES = ("binance_api_key", "binance_api_secret", "binance_private_key", "telegram_token", "api_token")
ENVIRONMENT_SECRETS = frozenset(f"SCALPER_{name.upper()}{suffix}" for name in NAMES for suffix in ("", "_FILE"))
CONTAINER_FOLDER = Path("/run/secrets")
SECRET_BYTES_MAX = 16_384  # an Ed25519 key in PEM is 119 bytes; more than 16 kB is the wrong file


class Secret:
    """A text that shows itself as ``***``. Only the signer and the Telegram sender call ``reveal``."""

    __slots__ = ("_text", "origin")

    def __init__(self, text: str, origin: str) -> None:
        self._text = text
        self.origin = origin

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return "***"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not written anywhere")


def load_secret(
    name: str,
    data_dir: Path,
    environment: Mapping[str, str] | None = None,
    container_folder: Path = CONTAINER_FOLDER,
) -> Secret | None:
    """The secret ``name``, or None when nobody gave one.

    Raises ConfigurationError (code SECRET) when a named file is missing, empty, too large, or readable by others.
    """
    if name not in NAMES:
        raise ValueError(f"{name} is not a secret's name; it is one of {', '.join(NAMES)}")
    environment = os.environ if environment is None else environment
    variable = f"SCALPER_{name.upper()}"
    if named := environment.get(f"{variable}_FILE"):
        return _from_file(name, Path(named), private=False)
    if folder := environment.get("CREDENTIALS_DIRECTORY"):
        path = Path(folder) / name
        if path.exists():
            return _from_file(name, path, private=False)
    if (container_folder / name).exists():
        return _from_file(name, container_folder / name, private=False)
    own = data_dir / "secrets" / name
    if own.exists():
        return _from_file(name, own, private=True)
    if text := environment.get(variable, "").strip():
        return Secret(text, f"environment {variable}")
    return None


def _from_file(name: str, path: Path, *, private: bool) -> Secret:
    try:
        if private and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationError(f"secret {name}: {path} is readable by others; run chmod 600 on it", code="SECRET")
        with path.open("rb") as file:
            raw = file.read(SECRET_BYTES_MAX + 1)
        text = raw.decode().strip()
    except OSError as error:
        raise ConfigurationError(
            f"secret {name}: {path} cannot be read ({error.strerror}); name an existing file", code="SECRET"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"secret {name}: {path} is not text; it must hold the secret alone", code="SECRET"
        ) from None
    if not text or len(raw) > SECRET_BYTES_MAX:
        raise ConfigurationError(
            f"secret {name}: {path} must hold the secret alone, between 1 and {SECRET_BYTES_MAX} bytes", code="SECRET"
        )
    return Secret(text, str(path))
