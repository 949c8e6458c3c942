"""Frame borders of zstd files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.cold.zstd_frames import ZstdFrame, content, frame_at, frames, skippable_frame


@contextmanager
def opened(path: Path, data: bytes) -> Iterator[int]:
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=3000), st.just(bytes(300_000)), st.just(b"ab" * 90_000)), max_size=4),
    st.integers(1, 5),
    st.booleans(),
)
def test_frames_end_where_the_encoder_ended_them(
    tmp_path_factory: object, contents: list[bytes], level: int, checksum: bool
) -> None:
    """Frames of any content, level and checksum are found by their headers alone and decompress to their content."""
    encoder = zstandard.ZstdCompressor(level=level, write_checksum=checksum)
    packed = [encoder.compress(part) for part in contents]
    data = skippable_frame(b"facts") + b"".join(packed)
    path = Path(tmp_path_factory.getbasetemp()) / "frames"  # type: ignore[attr-defined]
    with opened(path, data) as descriptor:
        found = list(frames(descriptor, len(data)))
        assert [frame.stop - frame.start for frame in found] == [13, *map(len, packed)]
        assert [frame.skippable for frame in found] == [True] + [False] * len(packed)
        assert [content(descriptor, frame, 1 << 20) for frame in found[1:]] == contents


def test_a_cut_frame_is_none(tmp_path: Path) -> None:
    """Wherever a frame is cut, none stands there."""
    data = zstandard.ZstdCompressor(write_checksum=True).compress(os.urandom(200))
    with opened(tmp_path / "f", data) as descriptor:
        assert frame_at(descriptor, 0, len(data)) == ZstdFrame(0, len(data), 200)
        assert [frame_at(descriptor, 0, size) for size in range(len(data))] == [None] * len(data)
    for size in range(len(data)):
        with opened(tmp_path / "f", data[:size]) as descriptor:
            assert frame_at(descriptor, 0, size) is None


def test_content_above_the_limit_is_refused(tmp_path: Path) -> None:
    """A frame that says it is larger than the reader allows is not decompressed."""
    data = zstandard.ZstdCompressor().compress(bytes(1_000_000))
    with opened(tmp_path / "f", data) as descriptor:
        frame = frame_at(descriptor, 0, len(data))
        assert frame is not None
        assert content(descriptor, frame, 999_999) is None
        assert content(descriptor, frame, 1_000_000) == bytes(1_000_000)
