"""An Ed25519 signer as plain as RFC 8032 has it: affine points, one inverse an addition. For tests only."""

from __future__ import annotations

import base64
import hashlib

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)


def plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = one, other
    k = D * x1 * x2 * y1 * y2
    return (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P


def times(count: int, point: tuple[int, int]) -> tuple[int, int]:
    product = (0, 1)
    for bit in bin(count)[2:]:
        product = plus(product, product)
        if bit == "1":
            product = plus(product, point)
    return product


def packed(point: tuple[int, int]) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def sign(secret: bytes, message: bytes) -> bytes:
    """The signature of ``message`` under a 32-byte secret key."""
    digest = hashlib.sha512(secret).digest()
    scalar = (int.from_bytes(digest[:32], "little") & ((1 << 254) - 8)) | 1 << 254
    nonce = int.from_bytes(hashlib.sha512(digest[32:] + message).digest(), "little") % Q
    commitment = packed(times(nonce, BASE))
    public = packed(times(scalar, BASE))
    challenge = int.from_bytes(hashlib.sha512(commitment + public + message).digest(), "little") % Q
    return commitment + ((nonce + challenge * scalar) % Q).to_bytes(32, "little")


def public_pem(secret: bytes) -> str:
    """The public key of a secret one, as the venue wants it uploaded."""
    digest = hashlib.sha512(secret).digest()
    scalar = (int.from_bytes(digest[:32], "little") & ((1 << 254) - 8)) | 1 << 254
    der = bytes.fromhex("302a300506032b6570032100") + packed(times(scalar, BASE))
    return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
