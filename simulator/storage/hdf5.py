"""Contents as HDF5 that is also valid NetCDF-4, and back; the only module that imports h5py.

A file is put together in memory and written by :mod:`simulator.storage.atomic`, and read through a file object of
ours: the HDF5 library never touches the disk. A full disk is then an ordinary error with a number, not a
failing close, and no file lock is taken, which network disks may refuse.

HDF5 checksums all of its metadata (format v110) and the chunks, but not the heap that holds strings of
variable length. Only labels and references to dimensions are there, under a digest of our own; all other
text is stored as bytes or in attributes of fixed length.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from simulator.kernel import load_chunk_filter
from simulator.storage.checksums import digest, heap_digest
from simulator.storage.contents import FORMAT, FORMAT_VERSION, Contents, LayoutError, Variable
from simulator.storage.datafile import DataFileError, open_data_file
from simulator.storage.image import Image

__all__ = ["DataFile", "opened", "packed", "sealed", "unsealed"]

#: Group of the texts and facts, out of the way of whoever opens the file as a table.
PROVENANCE = "provenance"

#: Oldest and newest format of HDF5's own structures: the first that has checksums in all of them.
LIBVER = ("v110", "v110")

#: Attribute with the digest of what HDF5 does not checksum.
HEAP_DIGEST = "heap_sha256"

#: Attribute with the digest of all that a file says.
DIGEST = "contents_sha256"

#: Bytes of a chunk: small enough to stay in HDF5's cache, large enough not to be slow.
CHUNK_BYTES = 1 << 20

#: Numbers that are worth chunks made by compiled code.
MANY_BYTES = 1 << 21

#: Longest attribute that HDF5 takes, its header included.
ATTRIBUTE_BYTES = 60_000

NUMBERS = ("<f8", "<i4", "|i1")
FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}

#: What h5py raises for a damaged file, depending on where the damage is.
DAMAGE = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    MemoryError,
)


def packed(what: Contents) -> memoryview:
    """A whole data file in memory."""
    return sealed(unsealed(what), what)


def unsealed(what: Contents, image: Image | None = None) -> Image:
    """A data file in memory that lacks its digests; in the place of another one, if there is one to give up."""
    image = image if image is not None else Image()
    frame = _frame(what)
    if image.frame == frame:
        image.frame = None
        with h5py.File(image, "r+", libver=LIBVER) as file:
            _refill(file, what)
    else:
        image.frame, image.heap = None, ""
        image.seek(0)
        image.truncate()
        with h5py.File(image, "w", libver=LIBVER) as file:
            _fill(file, what)
    image.frame = frame
    return image


def sealed(image: Image, what: Contents) -> memoryview:
    """The same with its digests, as bytes."""
    image.heap = image.heap or heap_digest(image)
    with h5py.File(image, "r+", libver=LIBVER) as file:
        _set_attributes(file, {DIGEST: digest(what), HEAP_DIGEST: image.heap})
    return image.view()


# -- HDF5, writing --------------------------------------------------------------------------------


def _fill(file: h5py.File, what: Contents) -> None:
    heading = {
        "format": FORMAT,
        "format_version": np.int32(FORMAT_VERSION),
        "Conventions": "CF-1.11",
        "title": what.title,
        "source": f"ionflux {what.facts.get('ionflux_version', '')}".strip(),
    } | dict(what.heading)
    _set_attributes(file, heading)
    group = file.create_group(PROVENANCE)
    _set_attributes(group, what.facts)
    for name, text in what.texts.items():
        # A dataset, because attributes are limited; bytes, because strings would not be checksummed.
        _add(
            group,
            name,
            Variable(np.frombuffer(text.encode(), np.uint8), (name,), {"long_name": "UTF-8 text"}),
        )
    for name, variable in what.variables.items():
        _add(file, name, variable)


def _add(group: h5py.Group, name: str, variable: Variable) -> None:
    values = variable.values
    if isinstance(values, tuple):
        # Variable length, because h5netcdf cannot select by labels of fixed length.
        dataset = group.create_dataset(name, shape=(len(values),), dtype=h5py.string_dtype(), data=list(values))
    elif not values.size:
        dataset = group.create_dataset(name, data=values)
    else:
        # A lone run is cut along its time, many runs from run to run.
        axis = variable.dims.index("time") if "time" in variable.dims and len(values) == 1 else 0
        rows = max(1, CHUNK_BYTES * values.shape[axis] // values.nbytes)
        chunks = tuple(min(n, rows) if i == axis else n for i, n in enumerate(values.shape))
        dataset = group.create_dataset(name, values.shape, values.dtype, chunks=chunks, shuffle=True, fletcher32=True)
        _put(dataset, values)
    if variable.dims == (name,):
        dataset.make_scale(name)
    else:
        for i, dim in enumerate(variable.dims):
            dataset.dims[i].attach_scale(group[dim])
    _set_attributes(dataset, variable.attributes)


def _put(dataset: h5py.Dataset, values: np.ndarray) -> None:
    """Write numbers; many of them in chunks that need nothing more of HDF5, which keeps all other threads waiting."""
    values = np.ascontiguousarray(values)
    rows, *rest = dataset.chunks
    if values.nbytes < MANY_BYTES or values.dtype.str != "<f8" or tuple(rest) != values.shape[1:]:
        dataset.write_direct(values)
        return
    filtered = load_chunk_filter()
    chunk = np.empty(8 * rows * math.prod(rest) + 4, np.uint8)
    for start in range(0, len(values), rows):
        part = values[start : start + rows]
        if len(part) < rows:
            part = np.concatenate([part, np.zeros((rows - len(part), *rest))])
        filtered(part.reshape(-1).view(np.uint64), chunk)
        dataset.id.write_direct_chunk((start, *(0 for _ in rest)), chunk)


def _frame(what: Contents) -> str:
    """All of a file but its numbers and the words of its facts."""
    variables = {
        name: (v.dims, v.attributes, v.values if isinstance(v.values, tuple) else (v.values.shape, v.values.dtype))
        for name, v in what.variables.items()
    }
    return repr((what.title, what.heading, what.texts, {k: len(v.encode()) for k, v in what.facts.items()}, variables))


def _refill(file: h5py.File, what: Contents) -> None:
    """Put other numbers into a file of the same frame."""
    _set_attributes(file[PROVENANCE], what.facts)
    for name, variable in what.variables.items():
        if not isinstance(variable.values, tuple) and variable.values.size:
            _put(file[name], variable.values)


def _set_attributes(owner: h5py.Group | h5py.Dataset, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        if isinstance(value, str):
            # Fixed length: it lies in the checksummed header then, not in the heap.
            text = value.encode()
            length = max(len(text), 1)
            array, dtype = np.array(text, f"S{length}"), h5py.string_dtype("utf-8", length)
        else:
            array = np.asarray(value)
            dtype = array.dtype
        if name in owner.attrs and owner.attrs.get_id(name).get_storage_size() == array.nbytes:
            found = owner.attrs.get_id(name)
            found.write(array, mtype=found.get_type())
        # Only lists of states in models of thousands could be longer, and what the verdict says of each of them; all
        # of it can be had from the scenario and the states.
        elif array.nbytes <= ATTRIBUTE_BYTES:
            owner.attrs.create(name, array, dtype=dtype)


# -- HDF5, reading --------------------------------------------------------------------------------


@contextmanager
def opened(path: Path) -> Iterator[DataFile]:
    """An HDF5 file of ours; every error of HDF5 inside the block becomes a :class:`DataFileError`."""
    with open_data_file(path) as stream:
        source = DataFile(path, size=stream.seek(0, io.SEEK_END))
        try:
            with h5py.File(stream, "r") as source.file:
                source.recognise(stream)
                yield source
        except LayoutError as error:
            raise DataFileError(path, error.problem, error.name) from error
        except DAMAGE as error:
            raise source.explain(error) from error


@dataclass
class DataFile:
    """An open file that is not trusted.

    Only what :func:`packed` makes is followed: hard links to datasets of known types, in chunks with
    checksums, of sizes that the file can hold. What lies outside of the file is never opened.
    """

    path: Path
    size: int
    file: h5py.File = None
    place: str = ""

    def contents(self) -> Contents:
        """Everything in the file."""
        group = self._provenance()
        texts = {name: self._text(group, name) for name in group}
        variables = {name: self.variable(name) for name in self.file if name != PROVENANCE}
        self.place = ""
        return Contents("", variables, texts, self.facts())

    def facts(self) -> dict[str, str]:
        """Short facts about where the file comes from."""
        return self._text_attributes(self._provenance())

    def _provenance(self) -> h5py.Group:
        group = self._object(self.file, PROVENANCE)
        if not isinstance(group, h5py.Group):
            raise self.error("is missing")
        return group

    def check_digest(self, found: Contents) -> None:
        """Raise unless the contents are as they were written; asked last, for it cannot say what differs."""
        if self._text_attributes(self.file).get(DIGEST) != digest(found):
            raise self.error("is damaged: its parts do not belong together")

    def error(self, problem: str) -> DataFileError:
        """An error at the current place."""
        return DataFileError(self.path, problem, self.place)

    def explain(self, error: Exception) -> DataFileError:
        """What an error of HDF5 means."""
        text = " ".join(str(error.args[0] if error.args else error).split())
        if "truncated file" in text:
            return DataFileError(self.path, f"is truncated: {self.size} bytes are left of a longer file")
        if "filter returned failure" in text:
            return self.error("is damaged: its checksum does not match")
        return self.error(f"is damaged ({text})" if text else "is damaged")

    def recognise(self, stream: BinaryIO) -> None:
        """Raise unless this is a file of ours, of a version that is known, with its labels intact."""
        marks = self._text_attributes(self.file)
        if marks.get("format") != FORMAT:
            raise DataFileError(self.path, "is an HDF5 file of another program, not a run saved by ionflux")
        found = self.file.attrs.get_id("format_version") if "format_version" in self.file.attrs else None
        if found is None or found.shape != () or found.dtype.kind != "i":
            raise DataFileError(self.path, "does not say which version of the format it has")
        version = int(self.file.attrs["format_version"])
        if version > FORMAT_VERSION:
            problem = f"has format version {version}, from a later ionflux; this one knows up to {FORMAT_VERSION}"
            raise DataFileError(self.path, problem, hint="update ionflux")
        if version < 1:
            raise DataFileError(self.path, f"has the impossible format version {version}")
        if marks.get(HEAP_DIGEST) != heap_digest(stream):
            raise DataFileError(self.path, "is damaged: its checksum does not match", "labels")

    def _object(self, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
        self.place = f"{group.name}/{name}".strip("/")
        if name not in group:
            raise self.error("is missing")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise self.error("is a link to somewhere else, which is not followed")
        return group[name]

    def variable(self, name: str) -> Variable:
        """One variable, with its dimensions."""
        dataset = self._dataset(self.file, name)
        if h5py.check_string_dtype(dataset.dtype):
            values: np.ndarray | tuple[str, ...] = tuple(self._labels(dataset))
        else:
            values = self._values(dataset, NUMBERS)
        dims = (name,) if dataset.is_scale else tuple(self._dimension(dataset, i) for i in range(dataset.ndim))
        return Variable(values, dims, self._text_attributes(dataset))

    def _dimension(self, dataset: h5py.Dataset, axis: int) -> str:
        scales = dataset.dims[axis]
        if len(scales) != 1:
            raise self.error("does not name its dimensions")
        return str(scales[0].name).strip("/")

    def _text(self, group: h5py.Group, name: str) -> str:
        return bytes(self._values(self._dataset(group, name), ("|u1",))).decode()

    def _dataset(self, group: h5py.Group, name: str) -> h5py.Dataset:
        """A dataset, its size checked; nothing of it is read yet."""
        dataset = self._object(group, name)
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            raise self.error("is not an array")
        settings = dataset.id.get_create_plist()
        if settings.get_layout() == h5py.h5d.VIRTUAL or settings.get_external_count():
            raise self.error("has its numbers in another file, which is not opened")
        if math.prod(dataset.shape) * dataset.dtype.itemsize > self.size:
            raise self.error("claims to be larger than its file")
        return dataset

    def _values(self, dataset: h5py.Dataset, types: tuple[str, ...]) -> np.ndarray:
        if dataset.dtype.str not in types:
            raise self.error(f"has values of an unknown type ({dataset.dtype})")
        if dataset.size:
            settings = dataset.id.get_create_plist()
            filters = {settings.get_filter(i)[0] for i in range(settings.get_nfilters())}
            if dataset.chunks is None or filters != FILTERS:
                raise self.error("is not stored in chunks with a checksum")
            # A chunk that was never written would read as zeros; one larger than the file would take memory.
            wanted = math.prod(-(-n // c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
            if dataset.id.get_num_chunks() != wanted:
                raise self.error("is incomplete")
            if math.prod(dataset.chunks) * dataset.dtype.itemsize > self.size:
                raise self.error("claims to be larger than its file")
        return np.asarray(dataset[()])

    def _labels(self, dataset: h5py.Dataset) -> Iterator[str]:
        """Labels one by one: many may refer to the same long string."""
        total = 0
        if dataset.ndim != 1:
            raise self.error("is not a list of labels")
        for i in range(dataset.shape[0]):
            label = dataset[i]
            total += len(label)
            if total > self.size:
                raise self.error("has labels longer than its file")
            yield label.decode() if isinstance(label, bytes) else str(label)

    def _text_attributes(self, owner: h5py.Group | h5py.Dataset) -> dict[str, str]:
        """Attributes that are text of fixed length; no other kind is looked at."""
        found = {}
        for name in owner.attrs:
            attribute = owner.attrs.get_id(name)
            if attribute.dtype.kind == "S" and attribute.shape == () and attribute.dtype.itemsize <= self.size:
                found[name] = bytes(owner.attrs[name]).decode()
        return found
