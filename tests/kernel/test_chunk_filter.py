"""Chunks filtered by compiled code are those that HDF5 would have made."""

import io

import h5py
import numpy as np
import pytest

from simulator.kernel import load_chunk_filter

random = np.random.default_rng(5)
NUMBERS = {
    "random": random.normal(size=(40, 7, 3)),
    "one": np.array([[[np.pi]]]),
    "zeros": np.zeros((30, 5, 1)),
    "missing": np.full((300, 11, 2), np.nan),
    "amounts": 1e-15 * random.random((500, 3, 1)),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_chunk_is_what_hdf5_makes_of_it(name):
    values = NUMBERS[name]
    with h5py.File(io.BytesIO(), "w", libver=("v110", "v110")) as file:
        dataset = file.create_dataset("x", data=values, chunks=values.shape, shuffle=True, fletcher32=True)
        file.flush()
        _, expected = dataset.id.read_direct_chunk((0, 0, 0))
    chunk = np.empty(values.nbytes + 4, np.uint8)
    load_chunk_filter()(values.reshape(-1).view(np.uint64), chunk)
    assert chunk.tobytes() == expected


def test_hdf5_notices_a_changed_byte_in_such_a_chunk():
    values = NUMBERS["random"]
    chunk = np.empty(values.nbytes + 4, np.uint8)
    load_chunk_filter()(values.reshape(-1).view(np.uint64), chunk)
    with h5py.File(io.BytesIO(), "w", libver=("v110", "v110")) as file:
        dataset = file.create_dataset("x", values.shape, "f8", chunks=values.shape, shuffle=True, fletcher32=True)
        dataset.id.write_direct_chunk((0, 0, 0), chunk)
        assert np.array_equal(dataset[...], values)
    chunk[100] ^= 1
    with h5py.File(io.BytesIO(), "w", libver=("v110", "v110")) as file:
        dataset = file.create_dataset("x", values.shape, "f8", chunks=values.shape, shuffle=True, fletcher32=True)
        dataset.id.write_direct_chunk((0, 0, 0), chunk)
        with pytest.raises(OSError, match="filter"):
            dataset[...]
