"""Signatures over the raw bytes of a request (venue reference §5): HMAC-SHA256, RSA PKCS#1 v1.5 and Ed25519.

Only verification, which handles no secret but the shared one: RSA and Ed25519 (RFC 8032) are a few lines of integer
arithmetic, slow (milliseconds) and enough for a rehearsal, so no package of cryptography is needed for them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from exchange.emulator.errors import VenueError, missing
from exchange.emulator.keys import ED25519, HMAC, RSA, ApiKey

_MARK = b"signature="
_PKCS_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


def signed_payload(query: bytes, body: bytes) -> tuple[bytes, bytes]:
    """What was signed and the signature as sent: query and body without a seam, ``signature`` last in one of them.

    Raises VenueError: -1102 without a signature, -1022 when something follows it.
    """
    head, mark, tail = _last(body)
    payload = query + head
    if not mark:
        head, mark, tail = _last(query)
        payload = head + body
    if not mark:
        raise missing("signature")
    if b"&" in tail:
        raise bad_signature()
    return payload, tail


def sorted_payload(params: Mapping[str, str]) -> bytes:
    """What a WebSocket API request signs: every parameter but the signature, by name, not percent-encoded."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature").encode()


def _last(text: bytes) -> tuple[bytes, bool, bytes]:
    """What is before the parameter ``signature``, whether there is one, and everything after its name."""
    if text.startswith(_MARK):
        return b"", True, text[len(_MARK) :]
    head, mark, tail = text.partition(b"&" + _MARK)
    return head, bool(mark), tail


def bad_signature() -> VenueError:
    return VenueError(400, -1022, "Signature for this request is not valid.")


def check(key: ApiKey, payload: bytes, signature: bytes) -> None:
    """Raises VenueError (-1022) when ``signature`` (percent-encoded or not) is not the key's of ``payload``."""
    given = unquote_to_bytes(signature)
    if key.kind == HMAC:
        made = hmac.new(key.secret.encode(), payload, hashlib.sha256).hexdigest()
        fits = hmac.compare_digest(made.encode(), given.lower())
    else:
        fits = _asymmetric(key, payload, given)
    if not fits:
        raise bad_signature()


def _asymmetric(key: ApiKey, payload: bytes, given: bytes) -> bool:
    try:
        signature = base64.b64decode(given, validate=True)
    except binascii.Error:
        return False
    if key.kind == RSA:
        return rsa_fits(*rsa_key(key.secret), payload, signature)
    return key.kind == ED25519 and ed25519_fits(ed25519_key(key.secret), payload, signature)


# -- public keys -----------------------------------------------------------------------------------------------------


def _der(text: str) -> bytes:
    lines = [line for line in text.strip().splitlines() if not line.startswith("-----")]
    return base64.b64decode("".join(lines))


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and end of the DER element at ``at``."""
    tag, size, start = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size, start = int.from_bytes(data[start : start + count], "big"), start + count
    return tag, data[start : start + size], start + size


def _subject_key(text: str) -> bytes:
    """The key bits of a SubjectPublicKeyInfo."""
    _, inside, _ = _element(_der(text), 0)
    _, _, after = _element(inside, 0)  # the algorithm
    _, bits, _ = _element(inside, after)
    return bits[1:]  # without the count of unused bits


@lru_cache(maxsize=64)
def rsa_key(text: str) -> tuple[int, int]:
    """Modulus and exponent of a public key in PEM."""
    _, numbers, _ = _element(_subject_key(text), 0)
    _, modulus, after = _element(numbers, 0)
    _, exponent, _ = _element(numbers, after)
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


@lru_cache(maxsize=64)
def ed25519_key(text: str) -> bytes:
    """The 32 bytes of a public key in PEM."""
    return _subject_key(text)


# -- RSA -------------------------------------------------------------------------------------------------------------


def rsa_fits(modulus: int, exponent: int, payload: bytes, signature: bytes) -> bool:
    """RSASSA-PKCS1-v1_5 with SHA-256: the whole padded block is compared."""
    size = (modulus.bit_length() + 7) // 8
    if len(signature) != size:
        return False
    digest = _PKCS_SHA256 + hashlib.sha256(payload).digest()
    padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return pow(int.from_bytes(signature, "big"), exponent, modulus) == int.from_bytes(padded, "big")


# -- Ed25519 (RFC 8032, section 5.1) ---------------------------------------------------------------------------------

_P = 2**255 - 19
_Q = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z"""


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(count: int, point: _Point) -> _Point:
    product = (0, 1, 1, 0)
    while count:
        if count & 1:
            product = _add(product, point)
        point = _add(point, point)
        count >>= 1
    return product


def _point(data: bytes) -> _Point | None:
    """A compressed point; None when there is none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE_Y = 4 * pow(5, -1, _P) % _P
_BASE = _point(_BASE_Y.to_bytes(32, "little"))


def ed25519_fits(key: bytes, payload: bytes, signature: bytes) -> bool:
    """Whether ``signature`` (64 bytes) is the one of ``key`` (32 bytes) over ``payload``."""
    if len(key) != 32 or len(signature) != 64:
        return False
    public, commitment = _point(key), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if public is None or commitment is None or scalar >= _Q or _BASE is None:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + key + payload).digest(), "little") % _Q
    left, right = _times(scalar, _BASE), _add(commitment, _times(challenge, public))
    same_x = (left[0] * right[2] - right[0] * left[2]) % _P == 0
    return same_x and (left[1] * right[2] - right[1] * left[2]) % _P == 0
