"""Signatures against the golden vectors, the vectors of RFC 8032, OpenSSL's, and a plain second implementation."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.emulator.errors import VenueError
from exchange.emulator.keys import ED25519, RSA, ApiKey
from exchange.emulator.signatures import (
    check,
    ed25519_fits,
    ed25519_key,
    rsa_fits,
    rsa_key,
    signed_payload,
    sorted_payload,
)
from tests.exchange.emulator.ed25519 import public_pem, sign
from tests.exchange.emulator.shape import golden

VECTORS = (
    "query-string",
    "mixed-query-and-body",
    "mixed-query-and-body-as-printed",
    "market-order",
    "percent-encoded-symbol",
    "batchOrders",
    "ws-api-sorted",
)
PAYLOAD = b"symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&timestamp=1789478303600"
RSA_PEM = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA6XKFhGbgvP+VQWGsd7V9
5ndqQa+nFh7aFM6dux7ib0huQsWZUQo7+3JvDDS4MbvrRSMF1hdzJuz2JV5QyfbW
JH2dDhC6jQmabuQIPZzFOjsDvOy1/N05zqGyYA89rA9TRgcaUf1dQs8EVyCXXhpZ
AgGn8pqQx9F9FJeHvqW+ATMImAnbFVbRPEGpyFRMk27/SeJH7jjO8OEcQLgmUZjj
+d2hcjCs4vjv5G4DYz2WGMcGpUlVAxJl5DeehLFJhrjdqTfU2IYUx8a47ROijpPK
TQqilDD7qoQRk6EPQkhfBt87Uc8y5duoqKi3UM0Ucw9tgFE3wPnGQwT3IalEH7qD
XwIDAQAB
-----END PUBLIC KEY-----
"""
RSA_SIGNATURE = (
    "NLVk1nkIOvWJf2cD39VdRJ6RGNImFG9twmwnrbB8BHr7R0Zbywg35CnJDLBKVnbf0nYtCvEPJO4Ge/QYK/J1L/5g0S7cabdm02x3bhcI59PNqlAxvuBT"
    "BVqjmr4TN5kIJOXLqqVBceCvyJ1KM3axAIIQcLw9OlZwCkm45R6thY7OrBk+w92n6HHopdtq07WuDWpLseF1uqxUFNrxT6/aP776dW8+ei69hXR5Txyq"
    "5hh0I5B6+vvFtWmgALJyTdvhEc2zRSf0lkNMK9XcrpSxXMTuSdns2rVoRS7HLAq2rq9IzDipepOYwCE65z6slqVCBnzs0oCJ/Dw6WKiMm04tlQ=="
)
ED_PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA6t9GOZ0+dN+LnyZg7AxscEOBq7O0BZz1q00K/0rCixw=
-----END PUBLIC KEY-----
"""
ED_SIGNATURE = "9f6hx7hLRbhjWjLFmMj3hlFJwSbeVyAEoDJK2GqSqnhH4Qm9fDb556idpSZV+s7jV0dTPOOkT8UccpVzTONlCA=="
RFC_8032 = [  # section 7.1, tests 1 to 3: secret, public, message, signature
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2465"
        "5141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb0"
        "0d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc0"
        "27beceea1ec40a",
    ),
]


@pytest.mark.parametrize("name", VECTORS)
def test_golden_signatures_are_accepted(wire: Path, name: str) -> None:
    """Each vector's digest fits its payload, in either case of its letters, and no other payload."""
    vectors = golden(wire, "signing-vectors")
    vector = next(one for one in vectors["vectors"] if one["name"] == name)
    key = ApiKey(vectors["apiKey"], vectors["secretKey"], "main")
    payload, signature = vector["payload"].encode(), vector["signature"].encode()
    check(key, payload, signature)
    check(key, payload, signature.upper())
    with pytest.raises(VenueError, match="not valid") as refused:
        check(key, payload + b"0", signature)
    assert (refused.value.status, refused.value.code) == (400, -1022)


def test_a_websocket_request_signs_its_parameters_by_name(wire: Path) -> None:
    """The golden order.place request's own parameters give the payload of its vector."""
    params = golden(wire, "wsapi-order.place-request")["params"]
    texts = {name: str(value) for name, value in params.items()}
    vectors = {one["name"]: one for one in golden(wire, "signing-vectors")["vectors"]}
    assert sorted_payload(texts).decode() == vectors["ws-api-sorted"]["payload"]


@pytest.mark.parametrize(
    ("query", "body", "payload", "signature"),
    [
        (b"a=1&signature=ff", b"", b"a=1", b"ff"),
        (b"", b"a=1&signature=ff", b"a=1", b"ff"),
        (b"a=1", b"b=2&signature=ff", b"a=1b=2", b"ff"),
        (b"a=1&signature=ff", b"b=2", b"a=1b=2", b"ff"),
        (b"signature=ff", b"", b"", b"ff"),
        (b"a=%E6&signature=a%2Bb%3D", b"", b"a=%E6", b"a%2Bb%3D"),
    ],
)
def test_the_payload_is_what_was_sent(query: bytes, body: bytes, payload: bytes, signature: bytes) -> None:
    """Query and body follow each other without a seam, byte for byte, the signature taken off one's end."""
    assert signed_payload(query, body) == (payload, signature)


@pytest.mark.parametrize(
    ("query", "code"), [(b"a=1", -1102), (b"signature=ff&a=1", -1022), (b"a=1&signature=ff&b=2", -1022)]
)
def test_a_signature_must_be_there_and_last(query: bytes, code: int) -> None:
    """Without one the parameter is missing; with something behind it the signature is not valid."""
    with pytest.raises(VenueError) as refused:
        signed_payload(query, b"")
    assert refused.value.code == code


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=80), st.integers(0, 31))
def test_one_wrong_byte_is_found(payload: bytes, secret: bytes, place: int) -> None:
    """Whatever is signed, a digest with one byte changed does not fit."""
    key = ApiKey("k", secret.hex(), "main")
    digest = bytearray(hmac.new(key.secret.encode(), payload, hashlib.sha256).digest())
    check(key, payload, digest.hex().encode())
    digest[place] ^= 1
    with pytest.raises(VenueError):
        check(key, payload, digest.hex().encode())


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032(secret: str, public: str, message: str, signature: str) -> None:
    """Each signature of the standard is accepted, made by our plain signer too, and refused for another message."""
    key, text, mark = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert ed25519_fits(key, text, mark)
    assert sign(bytes.fromhex(secret), text) == mark
    assert ed25519_key(public_pem(bytes.fromhex(secret))) == key
    assert not ed25519_fits(key, text + b"x", mark)


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 63), st.integers(0, 7))
def test_ed25519_agrees_with_a_plain_signer(secret: bytes, message: bytes, place: int, bit: int) -> None:
    """What the plain signer signs fits; with one bit of the signature changed it does not."""
    key = ed25519_key(public_pem(secret))
    mark = bytearray(sign(secret, message))
    assert ed25519_fits(key, message, bytes(mark))
    mark[place] ^= 1 << bit
    assert not ed25519_fits(key, message, bytes(mark))


@pytest.mark.parametrize(
    ("key", "signature"),
    [
        (b"\xff" * 32, bytes(64)),
        (b"\x02" + bytes(31), bytes(64)),
        (bytes.fromhex(RFC_8032[0][1]), b"\xff" * 64),
        (bytes.fromhex(RFC_8032[0][1]), bytes(10)),
        (b"", bytes(64)),
        (b"\x01" + bytes(30) + b"\x80", bytes(64)),
    ],
)
def test_what_is_no_ed25519_fits_nothing(key: bytes, signature: bytes) -> None:
    """Points off the curve, scalars beyond the order and wrong lengths are refused without an exception."""
    assert not ed25519_fits(key, b"", signature)


@pytest.mark.parametrize(("kind", "pem", "signature"), [(RSA, RSA_PEM, RSA_SIGNATURE), (ED25519, ED_PEM, ED_SIGNATURE)])
def test_signatures_of_openssl(kind: str, pem: str, signature: str) -> None:
    """A signature OpenSSL made under a PEM key is accepted, percent-encoded too; a changed one is refused."""
    key = ApiKey("k", pem, "main", kind)
    check(key, PAYLOAD, signature.encode())
    check(key, PAYLOAD, signature.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D").encode())
    for wrong in (base64.b64encode(bytes(64)).decode(), "?", signature[:-4], signature.swapcase()):
        with pytest.raises(VenueError):
            check(key, PAYLOAD, wrong.encode())
    with pytest.raises(VenueError):
        check(key, PAYLOAD + b" ", signature.encode())


def test_rsa_needs_the_whole_padding() -> None:
    """A block of another length than the modulus, or the digest without its padding, does not fit."""
    modulus, exponent = rsa_key(RSA_PEM)
    assert (modulus.bit_length(), exponent) == (2048, 65537)
    mark = base64.b64decode(RSA_SIGNATURE)
    assert rsa_fits(modulus, exponent, PAYLOAD, mark)
    assert not rsa_fits(modulus, exponent, PAYLOAD, b"\0" + mark)
    bare = int.from_bytes(hashlib.sha256(PAYLOAD).digest(), "big")
    assert not rsa_fits(modulus, 1, PAYLOAD, bare.to_bytes(256, "big"))
