"""The venue's error bodies (venue reference §8): HTTP status, code and text."""

from __future__ import annotations


class VenueError(Exception):
    """An error body of the venue. ``headers`` go with the answer."""

    def __init__(self, status: int, code: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}

    @property
    def body(self) -> dict[str, object]:
        return {"code": self.code, "msg": str(self)}


def missing(name: str) -> VenueError:
    """A mandatory parameter is not there, is empty, or cannot be read."""
    return VenueError(400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def invalid(name: str) -> VenueError:
    """A parameter that can be read but is out of its range."""
    return VenueError(400, -1130, f"Data sent for parameter '{name}' is not valid.")


def illegal(name: str, pattern: str) -> VenueError:
    """A parameter with characters its pattern does not allow."""
    return VenueError(400, -1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


def no_such_path(path: str, method: str) -> VenueError:
    """What the venue says to a path or a method it does not have."""
    return VenueError(404, -5000, f"Path {path}, Method {method} is invalid")
