"""Data files: complete or absent, and never a surprise from a bad one."""

import errno
import os
import random
import resource
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from data_files import refusal, same

from simulator.storage import atomic
from simulator.storage.atomic import StorageError
from simulator.storage.checksums import heap_digest
from simulator.storage.datafile import DataFileError
from simulator.storage.hdf5 import HEAP_DIGEST, LIBVER
from simulator.storage.store import read, write

# -- writing that fails ---------------------------------------------------------------------------


def test_an_existing_file_is_kept_unless_told_otherwise(result, saved, good):
    with pytest.raises(StorageError, match="--overwrite") as caught:
        write(result, saved)
    assert caught.value.kind == "storage"
    assert saved.read_bytes() == good
    assert same(read(write(replace(result, culprit=""), saved, overwrite=True)), result)


@pytest.mark.parametrize("step", ["open", "fdopen", "fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_step_of_writing_that_fails_leaves_things_as_they_were(result, tmp_path, monkeypatch, step, code, overwrite):
    path = tmp_path / "run.h5"
    if overwrite:
        path.write_bytes(b"before")

    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(atomic.os, step, fail)
    with pytest.raises(StorageError) as caught:
        write(result, path, overwrite=overwrite)
    monkeypatch.undo()
    assert str(path) in str(caught.value)
    assert "bytes needed" in str(caught.value)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == ([("run.h5", b"before")] if overwrite else [])


def test_an_interruption_leaves_no_temporary_file(result, tmp_path, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(result, tmp_path / "run.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_sync_of_the_directory_is_told(result, tmp_path, monkeypatch):
    calls = []

    def second_fails(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(atomic.os, "fsync", second_fails)
    with pytest.raises(StorageError):
        write(result, tmp_path / "run.h5")
    assert same(read(tmp_path / "run.h5"), result)


def test_a_limit_on_file_sizes_is_a_storage_error_with_numbers(tmp_path):
    limited = (
        "import resource, sys, pathlib\n"
        "from simulator.storage.atomic import StorageError, write_atomically\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_atomically(pathlib.Path(sys.argv[1]), bytes(5000))\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    assert resource.RLIMIT_FSIZE is not None
    done = subprocess.run([sys.executable, "-c", limited, str(tmp_path / "x.h5")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "5000 bytes needed" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_vanished_or_impossible_place_is_a_storage_error(result, tmp_path):
    (tmp_path / "file").write_text("")
    places = ["gone/run.h5", "file/run.h5", "a" * 300 + ".h5", "nul\0.h5", ""]
    for name in places:
        with pytest.raises(StorageError):
            write(result, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_link_at_the_place_of_the_result_is_replaced_not_followed(result, tmp_path):
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "run.h5").symlink_to(tmp_path / "elsewhere")
    write(result, tmp_path / "run.h5", overwrite=True)
    assert (tmp_path / "elsewhere").read_text() == "precious"
    assert same(read(tmp_path / "run.h5"), result)


# -- files that are not good ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "zero bytes"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "JPEG"),
        (b"\x89HD", "truncated"),
        (b"\x89HDF\r\n\x1a\n", "damaged"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "damaged"),
        (bytes(4096), "zeros"),
        (b"name: leaky bucket\n", "not an HDF5 file"),
    ],
)
def test_a_file_of_another_kind_is_named_as_such(tmp_path, content, words):
    path = tmp_path / "odd.h5"
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_missing_file_a_directory_and_a_pipe_are_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "missing.h5")
    assert "directory" in refusal(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "regular" in refusal(tmp_path / "pipe")


def test_a_truncated_file_is_called_truncated(saved, good):
    for length in (9, 48, 100, len(good) // 2, len(good) - 1):
        saved.write_bytes(good[:length])
        assert "truncated" in refusal(saved) or length < 48


def test_a_file_of_another_program_is_foreign(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["potential"] = np.zeros(5)
    assert "another program" in refusal(tmp_path / "other.h5")


def spoil(path, change):
    """Change a file as somebody would who knows its format, the digest of its labels included."""
    with h5py.File(path, "r+", libver=LIBVER) as file:
        change(file)
    with path.open("rb") as stream:
        heap = heap_digest(stream)
    with h5py.File(path, "r+", libver=LIBVER) as file:
        file.attrs.create(HEAP_DIGEST, np.array(heap.encode()))


def test_a_file_from_the_future_asks_for_an_update(saved):
    spoil(saved, lambda f: f.attrs.modify("format_version", np.int32(2)))
    assert "update ionflux" in refusal(saved)


def test_a_flipped_byte_in_a_chunk_names_its_variable(saved, good):
    with h5py.File(saved) as file:
        names = ["amount", "time", "potential", "provenance/scenario", "provenance/config", "end_time"]
        places = {name: file[name].id.get_chunk_info(0).byte_offset for name in names}
    for name, offset in places.items():
        saved.write_bytes(good[: offset + 3] + bytes([good[offset + 3] ^ 4]) + good[offset + 4 :])
        text = refusal(saved)
        assert "checksum" in text
        assert f"{name}:" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", -1.0),
        ("time", np.nan),
        ("amount", np.nan),
        ("charge", np.inf),
        ("potential", 0.1),
        ("concentration", 7.0),
        ("status", 99),
        ("verdict", 99),
        ("culprit", 10_000),
        ("end_time", np.nan),
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_name(saved, result, name, value):
    cell = result.labels["compartment"].index("cell")

    def change(file):
        place = {"charge": (0, -1, cell), "amount": (0, -1, cell, 0), "concentration": (0, -1, cell, 0)}
        file[name][place.get(name, -1)] = value

    spoil(saved, change)
    text = refusal(saved)
    assert name in text or name in ("amount", "charge")


def test_what_is_missing_or_too_much_is_refused_by_name(saved, good):
    for name in ("amount", "potential", "status", "verdict", "provenance", "provenance/scenario"):
        spoil(saved, lambda f, name=name: f.__delitem__(name))
        text = refusal(saved)
        assert name.rpartition("/")[2] in text
        saved.write_bytes(good)
    spoil(
        saved,
        lambda f: f.create_dataset("extra", data=np.zeros(3), chunks=(3,), shuffle=True, fletcher32=True),
    )
    assert "extra" in refusal(saved)


def test_a_changed_label_or_scenario_is_refused(saved, good):
    spoil(saved, lambda f: f["species"].__setitem__(0, "xx"))
    assert "species" in refusal(saved)
    saved.write_bytes(good)

    def warmer(file):
        text = file["provenance/scenario"]
        text[...] = np.frombuffer(bytes(text[()]).replace(b"leaky", b"LEAKY"), np.uint8)

    spoil(saved, warmer)
    assert "hash" in refusal(saved)


def test_a_consistent_but_changed_number_is_found(saved):
    spoil(saved, lambda f: f["conservation_charge"].__setitem__(0, 0.25))
    assert "do not match their digest" in refusal(saved)


def test_a_chunk_in_the_place_of_another_is_found(saved, good):
    with h5py.File(saved) as file:
        charge, volume = (file[name].id.get_chunk_info(0) for name in ("charge", "volume"))
    data = bytearray(good)
    data[volume.byte_offset : volume.byte_offset + volume.size] = good[
        charge.byte_offset : charge.byte_offset + charge.size
    ]
    assert volume.size == charge.size
    saved.write_bytes(data)
    refusal(saved)


def test_a_wrong_length_in_the_heap_of_labels_does_not_hang_the_reader(saved, good):
    heap = good.index(b"GCOL\x01")
    for place, value in [(heap + 24, 2**64 - 16), (heap + 24, 0), (heap + 16, 0), (heap + 8, 1), (heap + 8, 2**63)]:
        width = 2 if place == heap + 16 else 8
        value = value.to_bytes(width, "little")
        for more in (b"", (2**64 - 32).to_bytes(8, "little")):
            data = bytearray(good)
            data[place : place + width] = value
            data[heap + 24 : heap + 24 + len(more)] = more
            saved.write_bytes(data)
            refusal(saved)


def replaced(name, make):
    def change(file):
        del file[name]
        make(file)

    return change


def test_nothing_outside_of_the_file_is_opened(saved, good, tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["amount"] = np.zeros((1, 5, 2, 3))
    raw = tmp_path / "secret.bin"
    raw.write_bytes(bytes(4000))
    layout = h5py.VirtualLayout(shape=(1, 5, 2, 3), dtype="f8")
    layout[:] = h5py.VirtualSource(str(secret), "amount", shape=(1, 5, 2, 3))
    ways = {
        "external link": lambda f: f.__setitem__("amount", h5py.ExternalLink(str(secret), "amount")),
        "soft link": lambda f: f.__setitem__("amount", h5py.SoftLink("/concentration")),
        "virtual": lambda f: f.create_virtual_dataset("amount", layout),
        "external storage": lambda f: f.create_dataset("amount", (1, 5, 2, 3), "f8", external=[(str(raw), 0, 2000)]),
    }
    for way, make in ways.items():
        spoil(saved, replaced("amount", make))
        text = refusal(saved)
        assert "amount" in text, way
        assert "not followed" in text or "not opened" in text, way
        saved.write_bytes(good)


def test_objects_and_absurd_sizes_are_refused_before_they_take_memory(saved, good):
    huge = (1, 1 << 20, 1 << 10, 1 << 10)
    ways = {
        "larger than its file": lambda f: f.create_dataset("amount", huge, "f8", chunks=(1, 1, 8, 8), fletcher32=True),
        "unknown type (object)": lambda f: f.create_dataset("amount", (3,), h5py.ref_dtype),
        "type": lambda f: f.create_dataset("amount", (3,), h5py.vlen_dtype(np.float64)),
        "checksum": lambda f: f.create_dataset("amount", data=np.zeros((1, 2, 2, 3))),
        "incomplete": lambda f: f.create_dataset(
            "amount", (1, 5, 2, 3), "f8", chunks=(1, 5, 2, 3), shuffle=True, fletcher32=True
        ),
    }
    for words, make in ways.items():
        spoil(saved, replaced("amount", make))
        text = refusal(saved)
        assert words in text
        assert "amount" in text
        saved.write_bytes(good)


def test_a_flipped_byte_is_found_or_harmless(good, result, tmp_path):
    path = tmp_path / "flipped.h5"
    rng = random.Random(1)
    positions = rng.sample(range(len(good)), 400)
    found = 0
    for position in positions:
        path.write_bytes(good[:position] + bytes([good[position] ^ (1 << rng.randrange(8))]) + good[position + 1 :])
        try:
            back = read(path)
        except DataFileError:
            found += 1
        else:
            assert same(back, result), position
    assert found > 0


def test_arbitrary_damage_is_found_or_harmless(good, result, tmp_path):
    path = tmp_path / "damaged.h5"
    rng = random.Random(2)
    for _ in range(200):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            start = rng.randrange(len(data))
            length = min(rng.randrange(1, 200), len(data) - start)
            how = rng.randrange(4)
            if how == 0:
                data[start : start + length] = rng.randbytes(length)
            elif how == 1:
                data[start : start + length] = bytes(length)
            elif how == 2:
                del data[start : start + length]
            else:
                other = rng.randrange(len(data) - length + 1)
                data[start : start + length] = data[other : other + length]
        path.write_bytes(data)
        try:
            back = read(path)
        except DataFileError:
            continue
        assert same(back, result)
