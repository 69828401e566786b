"""Write contents as HDF5 that is also valid NetCDF-4, and read them; the only module that imports h5py.

A file is assembled in memory and written by :mod:`simulator.storage.atomic`; it is read through a Python file
object. The HDF5 library never accesses the disk: a full disk is then an ordinary OSError, not a failing close, and
no file lock is taken, which network file systems may refuse.

HDF5 checksums all of its metadata (format v110) and the chunks, but not the heap that holds strings of
variable length. Only labels and references to dimensions are stored there, protected by a separate digest; all
other text is stored as bytes or in attributes of fixed length.
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

#: Group of the texts and facts, separate from the variables that other programs show as a table.
PROVENANCE = "provenance"

#: Oldest and newest HDF5 format to write: the first one that checksums all metadata.
LIBVER = ("v110", "v110")

#: Attribute with the digest of the heap, which HDF5 does not checksum.
HEAP_DIGEST = "heap_sha256"

#: Attribute with the digest of the contents.
DIGEST = "contents_sha256"

#: Bytes of a chunk: small enough for HDF5's cache, large enough to be fast.
CHUNK_BYTES = 1 << 20

#: Smallest array [bytes] whose chunks are made by compiled code.
MANY_BYTES = 1 << 21

#: Largest attribute [bytes] that HDF5 accepts, including its header.
ATTRIBUTE_BYTES = 60_000

NUMBERS = ("<f8", "<i4", "|i1")
FILTERS = {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}

#: Exceptions that h5py raises for a damaged file, depending on where the damage is.
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
    """Return a whole data file as bytes in memory."""
    return sealed(unsealed(what), what)


def unsealed(what: Contents, image: Image | None = None) -> Image:
    """Build a data file in memory without its digests, reusing `image` if given."""
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
    """Add the digests to a data file in memory and return its bytes."""
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
        # A dataset, because attributes are limited in size; bytes, because strings are not checksummed.
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
        # Chunks divide a lone run along time, and a batch along its runs.
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
    """Write numbers; large arrays as finished chunks, because HDF5 blocks all other threads while it makes them."""
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
    """Everything two files must share for one's buffer to be reused."""
    variables = {
        name: (v.dims, v.attributes, v.values if isinstance(v.values, tuple) else (v.values.shape, v.values.dtype))
        for name, v in what.variables.items()
    }
    return repr((what.title, what.heading, what.texts, {k: len(v.encode()) for k, v in what.facts.items()}, variables))


def _refill(file: h5py.File, what: Contents) -> None:
    """Overwrite the numbers and facts of a file with the same frame."""
    _set_attributes(file[PROVENANCE], what.facts)
    for name, variable in what.variables.items():
        if not isinstance(variable.values, tuple) and variable.values.size:
            _put(file[name], variable.values)


def _set_attributes(owner: h5py.Group | h5py.Dataset, attributes: Mapping[str, Any]) -> None:
    for name, value in attributes.items():
        if isinstance(value, str):
            # Fixed length, so that it is stored in the checksummed header and not in the heap.
            text = value.encode()
            length = max(len(text), 1)
            array, dtype = np.array(text, f"S{length}"), h5py.string_dtype("utf-8", length)
        else:
            array = np.asarray(value)
            dtype = array.dtype
        if name in owner.attrs and owner.attrs.get_id(name).get_storage_size() == array.nbytes:
            found = owner.attrs.get_id(name)
            found.write(array, mtype=found.get_type())
        # Longer attributes are skipped: lists of states and evidence of models with thousands of states, which can
        # be computed from the scenario and the states.
        elif array.nbytes <= ATTRIBUTE_BYTES:
            owner.attrs.create(name, array, dtype=dtype)


# -- HDF5, reading --------------------------------------------------------------------------------


@contextmanager
def opened(path: Path, whole: bool = True) -> Iterator[DataFile]:
    """Open a data file; every HDF5 error inside the block becomes a :class:`DataFileError`.

    Unless it is opened as a `whole`, only what is asked for is read, and labels and dimensions must not be.
    """
    with open_data_file(path) as stream:
        source = DataFile(path, size=stream.seek(0, io.SEEK_END))
        try:
            with h5py.File(stream, "r") as source.file:
                source.recognise()
                if whole:
                    source.check_labels(stream)
                yield source
        except LayoutError as error:
            raise DataFileError(path, error.problem, error.name) from error
        except DAMAGE as error:
            raise source.explain(error) from error


@dataclass
class DataFile:
    """An open file that is not trusted.

    Only structures that :func:`packed` writes are read: hard links to datasets of known types, in checksummed
    chunks, no larger than the file. Nothing outside the file is ever opened.
    """

    path: Path
    size: int
    file: h5py.File = None
    place: str = ""

    def contents(self) -> Contents:
        """Read everything in the file."""
        group = self._provenance()
        texts = {name: self._text(group, name) for name in group}
        variables = {name: self.variable(name) for name in self.file if name != PROVENANCE}
        self.place = ""
        return Contents("", variables, texts, self.facts())

    def facts(self) -> dict[str, str]:
        """Read the short facts on the file's provenance."""
        return self._text_attributes(self._provenance())

    def _provenance(self) -> h5py.Group:
        group = self._object(self.file, PROVENANCE)
        if not isinstance(group, h5py.Group):
            raise self.error("is missing")
        return group

    def check_digest(self, found: Contents) -> None:
        """Raise unless the contents match their stored digest; check last, because it cannot tell what differs."""
        if self._text_attributes(self.file).get(DIGEST) != digest(found):
            raise self.error("is damaged: its contents do not match their digest")

    def error(self, problem: str) -> DataFileError:
        """Return an error at the current place in the file."""
        return DataFileError(self.path, problem, self.place)

    def explain(self, error: Exception) -> DataFileError:
        """Turn an HDF5 error into a :class:`DataFileError`."""
        text = " ".join(str(error.args[0] if error.args else error).split())
        if "truncated file" in text:
            return DataFileError(self.path, f"is truncated: {self.size} bytes are left of a longer file")
        if "filter returned failure" in text:
            return self.error("is damaged: its checksum does not match")
        return self.error(f"is damaged ({text})" if text else "is damaged")

    def recognise(self) -> None:
        """Raise unless this is a data file of a known version."""
        marks = self._text_attributes(self.file)
        kind = str(marks.get("format", ""))
        if kind != FORMAT and kind.startswith("ionflux "):
            problem = f"holds {kind.removeprefix('ionflux ')}, not a run or a sweep"
            raise DataFileError(self.path, problem, hint="open it with xarray")
        if kind != FORMAT:
            raise DataFileError(self.path, "is an HDF5 file of another program, not a run saved by ionflux")
        found = self.file.attrs.get_id("format_version") if "format_version" in self.file.attrs else None
        if found is None or found.shape != () or found.dtype.kind != "i":
            raise DataFileError(self.path, "does not state its format version")
        version = int(self.file.attrs["format_version"])
        if version > FORMAT_VERSION:
            problem = f"has format version {version}; this version of ionflux reads versions up to {FORMAT_VERSION}"
            raise DataFileError(self.path, problem, hint="update ionflux")
        if version < 1:
            raise DataFileError(self.path, f"has the impossible format version {version}")

    def check_labels(self, stream: BinaryIO) -> None:
        """Raise unless the labels are intact, which must be known before any is read; this reads all of the file."""
        if self._text_attributes(self.file).get(HEAP_DIGEST) != heap_digest(stream):
            raise DataFileError(self.path, "is damaged: its checksum does not match", "labels")

    def _object(self, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
        self.place = f"{group.name}/{name}".strip("/")
        if name not in group:
            raise self.error("is missing")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise self.error("is a link to another place, which is not followed")
        return group[name]

    def variable(self, name: str) -> Variable:
        """Read one variable with its dimensions."""
        dataset = self._dataset(self.file, name)
        if h5py.check_string_dtype(dataset.dtype):
            values: np.ndarray | tuple[str, ...] = tuple(self._labels(dataset))
        else:
            values = self._values(dataset, NUMBERS)
        dims = (name,) if dataset.is_scale else tuple(self._dimension(dataset, i) for i in range(dataset.ndim))
        return Variable(values, dims, self._text_attributes(dataset))

    def numbers(self, name: str) -> np.ndarray:
        """Read the numbers of one variable without its dimensions."""
        return self._values(self._dataset(self.file, name), NUMBERS)

    def _dimension(self, dataset: h5py.Dataset, axis: int) -> str:
        scales = dataset.dims[axis]
        if len(scales) != 1:
            raise self.error("does not name its dimensions")
        return str(scales[0].name).strip("/")

    def _text(self, group: h5py.Group, name: str) -> str:
        return bytes(self._values(self._dataset(group, name), ("|u1",))).decode()

    def _dataset(self, group: h5py.Group, name: str) -> h5py.Dataset:
        """Return a dataset after checking its size, without reading it."""
        dataset = self._object(group, name)
        if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
            raise self.error("is not an array")
        settings = dataset.id.get_create_plist()
        if settings.get_layout() == h5py.h5d.VIRTUAL or settings.get_external_count():
            raise self.error("stores its numbers in another file, which is not opened")
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
            # A chunk that was never written would read as zeros; one larger than the file could exhaust memory.
            wanted = math.prod(-(-n // c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
            if dataset.id.get_num_chunks() != wanted:
                raise self.error("is incomplete")
            if math.prod(dataset.chunks) * dataset.dtype.itemsize > self.size:
                raise self.error("claims to be larger than its file")
        return np.asarray(dataset[()])

    def _labels(self, dataset: h5py.Dataset) -> Iterator[str]:
        """Yield labels one by one up to the file's size: many may refer to the same long string."""
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
        """Return the attributes that are text of fixed length; all others are ignored."""
        found = {}
        for name in owner.attrs:
            attribute = owner.attrs.get_id(name)
            if attribute.dtype.kind == "S" and attribute.shape == () and attribute.dtype.itemsize <= self.size:
                found[name] = bytes(owner.attrs[name]).decode()
        return found
