"""Signatures against the published vectors, and secrets that cannot be printed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import pickle
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.secret import Secret
from exchange.binance.signing import Ed25519Signer, HmacSigner, signer_of
from exchange.emulator.signatures import ed25519_fits, ed25519_key
from models.error import ConfigurationError

CANARY = "CanaryCanaryCanary0123456789"
PEM = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""
PUBLIC = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
"""
"""RFC 8032, test 1"""
without_cryptography = pytest.mark.skipif(
    importlib.util.find_spec("cryptography") is not None, reason="the package cryptography is installed"
)
with_cryptography = pytest.mark.skipif(
    importlib.util.find_spec("cryptography") is None, reason="Ed25519 needs the package cryptography"
)


def _hmac(key: str, secret: str) -> HmacSigner:
    return HmacSigner(Secret(key, "a test"), Secret(secret, "a test"))


def test_every_published_vector_is_reproduced(wire: Path) -> None:
    """Each payload of the venue's documentation gets the digest that stands beside it."""
    vectors = json.loads((wire / "signing-vectors.json").read_text())
    signer = _hmac(vectors["apiKey"], vectors["secretKey"])
    made = [signer.sign(one["payload"].encode()).decode() for one in vectors["vectors"]]
    assert made == [one["signature"] for one in vectors["vectors"]]


@given(st.text("abcXYZ019+/=", min_size=1, max_size=200), st.binary(max_size=300))
def test_prepared_states_sign_as_the_library_does(secret: str, payload: bytes) -> None:
    """Secrets of any length and payloads of any bytes are signed as by ``hmac``."""
    made = _hmac("key", secret).sign(payload)
    assert made == hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest().encode()


def test_signing_leaves_the_prepared_states_alone() -> None:
    """The same payload gets the same signature after others were signed."""
    signer = _hmac("key", "secret")
    first = signer.sign(b"a")
    signer.sign(b"something else")
    assert signer.sign(b"a") == first


def test_the_header_names_the_key() -> None:
    """The header line carries the API key and ends as a header does."""
    assert _hmac("thekey", "s").header == b"X-MBX-APIKEY: thekey\r\n"


def test_a_signer_shows_nothing_of_its_secrets() -> None:
    """Neither its text nor a format of it shows key or secret."""
    signer = _hmac(CANARY, CANARY)
    assert CANARY not in f"{signer!r}{signer}{[signer]}"


def test_a_signer_cannot_be_written_anywhere() -> None:
    """A signer refuses to be pickled."""
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(_hmac("k", "s"))


@pytest.mark.parametrize("text", [f"{CANARY}\n{CANARY}", f"{CANARY} x", f"{CANARY}é", ""])
def test_a_secret_that_would_break_a_header_is_refused_without_quoting_it(text: str) -> None:
    """A key with a line break, blank or foreign letter is refused, and the sentence does not hold it."""
    with pytest.raises(ConfigurationError, match="from a file") as caught:
        HmacSigner(Secret(text, "a file"), Secret("s", "a file"))
    assert CANARY not in str(caught.value)


def test_a_pair_is_needed() -> None:
    """A key alone is no way to sign, and the sentence names both secrets."""
    with pytest.raises(ConfigurationError, match="binance_api_key and binance_api_secret"):
        signer_of(Secret("k", "x"), None, None)


def test_the_shared_secret_is_preferred() -> None:
    """With both kinds of secret given the faster one signs."""
    made = signer_of(Secret("k", "x"), Secret("s", "x"), Secret("no key at all", "x"))
    assert isinstance(made, HmacSigner)


@without_cryptography
def test_ed25519_without_its_package_says_what_to_do() -> None:
    """Without the package one sentence names it and the other kind of key."""
    with pytest.raises(ConfigurationError, match=r"needs the package cryptography.*binance_api_secret"):
        Ed25519Signer(Secret("k", "x"), Secret(PEM, "x"))


class _Key:
    def sign(self, payload: bytes) -> bytes:
        return hashlib.sha512(payload).digest()


class _Package:
    """What is used of the package ``cryptography``, in its shape."""

    Ed25519PrivateKey = _Key

    @staticmethod
    def load_pem_private_key(data: bytes, password: None) -> _Key:
        if b"PRIVATE KEY" not in data:
            raise ValueError(f"cannot read {data!r}")
        return _Key()


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("serialization", "asymmetric.ed25519"):
        monkeypatch.setitem(sys.modules, f"cryptography.hazmat.primitives.{name}", _Package)  # type: ignore[arg-type]


def test_an_ed25519_signature_is_base64_that_can_travel_in_a_query(package: None) -> None:
    """REST gets the base64 percent-encoded, JSON gets it plain."""
    signer = Ed25519Signer(Secret("k", "x"), Secret(PEM, "x"))
    plain = base64.b64encode(hashlib.sha512(b"a=1").digest()).decode()
    assert (signer.sign_text(b"a=1"), unquote(signer.sign(b"a=1").decode())) == (plain, plain)
    assert not set(signer.sign(b"a=1").decode()) & set("+/=")


def test_a_private_key_that_is_none_is_not_quoted(package: None) -> None:
    """A text that is no key is refused without a letter of it in the sentence."""
    with pytest.raises(ConfigurationError, match="no private key in PEM") as caught:
        Ed25519Signer(Secret("k", "x"), Secret(CANARY, "the file"))
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


@with_cryptography
def test_ed25519_signatures_hold_for_the_public_key() -> None:
    """What the private key of RFC 8032 signs is valid for its public key."""
    signer = Ed25519Signer(Secret("k", "x"), Secret(PEM, "x"))
    assert ed25519_fits(ed25519_key(PUBLIC), b"a=1", base64.b64decode(signer.sign_text(b"a=1")))
