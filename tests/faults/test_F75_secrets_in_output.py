"""F75: API key, secret, signatures and listenKey in logs, records, journal, exceptions; DEBUG on, faults everywhere."""

from __future__ import annotations

import io
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
import uvloop

from config.secret import Secret, load_secret
from core.risk.mode import Cause
from exchange.binance.order_line import OrderLine
from exchange.binance.refusals import VenueAnswerError
from exchange.binance.signing import HmacSigner
from interface import log
from models.error import ConfigurationError
from models.order import Side
from tests.faults.real_run import Bot, Scene, exchange

EVERY = [
    ("drop_reply", {"hang": False}), ("busy", {"text": "unknown"}), ("timeout", {"placed": True}), ("html", {}),
    ("garble", {"kind": "truncated"}), ("error", {"status": 400, "code": -1022, "msg": "Signature for this request"}),
    ("cut_reply", {"at_byte": 40}), ("cut_request", {"at_byte": 60}), ("answer", {"status": 502, "text": "gateway"}),
]  # fmt: skip


def test_nothing_that_a_run_says_carries_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fault of calls on every call, a private stream that is spoilt, a key that is revoked: no file, no line, no
    exception and no repr has key, secret, listenKey or a signature."""
    told = io.StringIO()
    raised: list[str] = []
    signed: list[str] = []
    made, sign = VenueAnswerError.__init__, HmacSigner.sign_text

    def heard(error: VenueAnswerError, *given: Any, **named: Any) -> None:
        made(error, *given, **named)
        raised.append(f"{error} {error!r} {vars(error)} {given} {named}")

    def signing(signer: HmacSigner, payload: bytes) -> str:
        signed.append(sign(signer, payload))
        return signed[-1]

    monkeypatch.setattr(VenueAnswerError, "__init__", heard)
    monkeypatch.setattr(HmacSigner, "sign_text", signing)

    async def run() -> list[str]:
        async with exchange(speed=10.0) as venue:
            key = venue.venue.key()
            async with Bot(venue, tmp_path / "d", speed=10.0) as bot:
                scene = Scene(venue, bot)
                await scene.open()
                listen = [text for text in map(str, venue.venue.listen_keys.__dict__.values())]
                for lever, options in EVERY:
                    scene.arm(lever, count=0, probability=0.1, **options)
                scene.arm("malformed", "user:*", count=2)
                for side in (Side.BUY, Side.SELL, Side.BUY):
                    scene.leave()
                    if scene.can_enter:
                        scene.enter(side)
                    await scene.passes(4.0)
                scene.clear()
                await scene.passes(2.0)
                scene.pull("permissions", {"account": "main", "allowed": []})
                await scene.until(lambda: Cause.STREAM in scene.causes or Cause.BLIND in scene.causes, "refused")
                raised.extend([*bot.failures, repr(scene.venue.stats()), repr(bot.side.venue.__dict__), scene.said()])
                logging.getLogger("library").error("a library tells %r", vars(bot.side.venue))
            keys = [one for text in listen for one in _words(text, 64)]
            assert keys
            return [key.key, key.secret, *keys]

    kept = log.start(level="debug", form="json", folder=tmp_path / "logs", stream=told)
    try:
        secrets = uvloop.run(run(), debug=False)
    finally:
        kept.close()
    assert len(raised) > 10 and len(signed) > 10
    texts = {"log": told.getvalue(), "exceptions": "\n".join(raised)}
    texts |= {str(p): p.read_bytes().decode("latin-1") for p in tmp_path.rglob("*") if p.is_file()}
    assert any(name.endswith(".journal") for name in texts)
    for name, text in texts.items():
        for secret in [*secrets, *signed]:
            assert secret not in text, f"{secret[:4]}… in {name}: …{text[max(0, text.find(secret) - 200) :][:200]}"


def _words(text: str, length: int) -> list[str]:
    """Runs of letters and digits of at least that length."""
    words = "".join(one if one.isalnum() else " " for one in text).split()
    return [word for word in words if len(word) >= length]


def test_secret_types_show_and_give_nothing(tmp_path: Path) -> None:
    """Signer and secret have an empty repr, cannot be pickled, and an error about one names its place only; a key file
    that others can read is refused."""
    canary = "CANARYcanaryCANARYcanaryCANARY"
    secret = Secret(canary, "a test")
    signer = HmacSigner(secret, secret)
    shown = [repr(secret), str(secret), f"{secret:>40}", repr(signer), str(signer), repr([secret, {"a": signer}])]
    assert not any(canary in text for text in shown)
    for one in (secret, signer):
        with pytest.raises(TypeError):
            pickle.dumps(one)
    path = tmp_path / "secrets" / "binance_api_secret"
    path.parent.mkdir()
    path.write_text(canary)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600") as refused:
        load_secret("binance_api_secret", tmp_path, {}, tmp_path / "none")
    with pytest.raises(ConfigurationError) as spoilt:
        HmacSigner(Secret(f"{canary} with blanks", "a test"), secret)
    for found in (refused, spoilt):
        assert canary not in "".join(traceback.format_exception(found.value))
    assert OrderLine.__repr__ is object.__repr__
