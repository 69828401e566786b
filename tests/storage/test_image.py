"""Files put together in memory and written past the system's cache hold what was put into them."""

import errno
import io
import os
import random
from pathlib import Path

import pytest

from simulator.storage.atomic import write_atomically
from simulator.storage.checksums import heap_digest
from simulator.storage.image import Image

LARGE = bytes(range(251)) * 40_000 + b"the end"


def test_an_image_is_the_file_that_python_would_have_made() -> None:
    chance = random.Random(4)
    image, plain = Image(), io.BytesIO()
    for _ in range(300):
        at, data = chance.randrange(2000), chance.randbytes(chance.randrange(1, 90))
        for file in (image, plain):
            file.seek(at)
            file.write(data)
        if chance.random() < 0.1:
            image.truncate(at)
            plain.truncate(at)
    assert bytes(image.view()) == plain.getvalue()
    assert (image.seek(100), image.read(40)) == (plain.seek(100), plain.read(40))


def test_an_image_used_again_keeps_nothing_of_what_it_held() -> None:
    image = Image()
    image.write(b"secret" * 100)
    image.truncate(0)
    image.seek(500)
    image.write(b"x")
    assert bytes(image.view()) == bytes(500) + b"x"


@pytest.mark.parametrize("start", [0, 3, (1 << 18) - 2, (1 << 18) - 5, 300_000])
def test_a_heap_is_found_wherever_it_begins(start: int) -> None:
    heap = b"GCOL\x01\0\0\0" + (4096).to_bytes(8, "little") + bytes(4080)
    heap = heap[:16] + bytes(8) + (4080).to_bytes(8, "little") + heap[32:]
    nothing = heap_digest(io.BytesIO(bytes(400_000)))
    found = heap_digest(io.BytesIO(bytes(start) + heap + bytes(100_000)))
    assert found != nothing
    assert found == heap_digest(io.BytesIO(heap))


def test_a_large_file_arrives_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "large.h5", LARGE)
    assert (tmp_path / "large.h5").read_bytes() == LARGE


@pytest.mark.parametrize("refused", [0, 1])
def test_a_disk_that_wants_the_cache_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: int) -> None:
    write, calls = os.write, [0]

    def refusing(descriptor: int, data: bytes) -> int:
        calls[0] += 1
        if calls[0] > refused:
            raise OSError(errno.EINVAL, "not so")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", refusing)
    write_atomically(tmp_path / "large.h5", LARGE)
    assert (tmp_path / "large.h5").read_bytes() == LARGE
