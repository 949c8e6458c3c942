"""F74: a bot token, which stands in the address of every call, gets into a log. At the sink: no bot exists yet."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest

from interface import log

TOKEN = "8123456789:AAHcanaryCANARYcanaryCANARYcanaryCAN"
URL = f"https://api.telegram.org/bot{TOKEN}/sendMessage?chat_id=5"


@pytest.fixture
def told(tmp_path: Path) -> io.StringIO:
    return io.StringIO()


def everything(folder: Path, told: io.StringIO) -> str:
    return told.getvalue() + "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_line_carries_the_token(tmp_path: Path, told: io.StringIO, form: str) -> None:
    """As an address, in a value, in an exception with its traceback and its cause, from our loggers and a library's,
    at DEBUG: neither stderr nor the file has the token."""
    kept = log.start(level="debug", form=form, folder=tmp_path, stream=told, color=False)
    kept.hide(TOKEN)
    try:
        ours = log.logger("telegram")
        ours.debug("telegram.sent", url=URL, token=TOKEN, parts=[URL, {"body": TOKEN}])
        try:
            try:
                raise ConnectionError(f"cannot reach {URL}")
            except ConnectionError as error:
                raise RuntimeError(f"while sending to {TOKEN}") from error
        except RuntimeError:
            ours.exception("telegram.failed")
            logging.getLogger("telegram.ext").exception("send to %s failed", URL)
        logging.getLogger("httpx").warning("HTTP Request: POST %s", URL)
        logging.getLogger("httpx").info("HTTP Request: POST %s", URL)
    finally:
        kept.close()
    written = everything(tmp_path, told)
    assert written.count("telegram.failed") >= 2 and "/sendMessage" in written
    assert TOKEN not in written and TOKEN.partition(":")[2] not in written


def test_a_token_nobody_named_is_known_by_its_shape(tmp_path: Path, told: io.StringIO) -> None:
    """In an address it is taken out although nobody told the log of it; HTTP clients are silent below WARNING."""
    kept = log.start(level="debug", form="json", folder=tmp_path, stream=told)
    logging.getLogger("httpx").warning("HTTP Request: POST %s", URL)
    logging.getLogger("httpcore").debug("send_request_headers %s", URL)
    kept.close()
    written = everything(tmp_path, told)
    assert "/sendMessage" in written and TOKEN not in written
    assert "send_request_headers" not in written
