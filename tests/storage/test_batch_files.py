"""Files of batches: the same bytes however they are put together."""

import io

import h5py
import numpy as np
import pytest

import simulator
from simulator.storage import hdf5 as storage
from simulator.storage.layout import part_contents

PUMP = "membranes.plasma.mechanisms.pump.max_rate"


@pytest.fixture(scope="module")
def batch(configs):
    """Thirty cells whose pump has another strength each."""
    cell = simulator.load_scenario(configs / "benchmark_cell.yaml", {"run.save_every": 5000.0})
    return simulator.run_batch(cell, {PUMP: cell.quantities()[PUMP] * 2.0 ** np.linspace(-1.0, 1.0, 30)})


def test_a_part_in_the_place_of_another_is_the_same_file_to_the_last_byte(batch, monkeypatch):
    monkeypatch.setattr(storage, "MANY_BYTES", 1)  # so that chunks made by compiled code are tried too
    first, second, last = (
        part_contents(batch.part(a, b), i, "") for i, (a, b) in enumerate(((0, 12), (12, 24), (24, 30)))
    )
    image = storage.unsealed(first)
    storage.sealed(image, first).release()
    for what in (second, last):  # of the same size, and smaller
        assert storage.unsealed(what, image) is image
        with storage.sealed(image, what) as again, storage.packed(what) as fresh:
            assert again == fresh


def test_many_numbers_are_stored_as_few_are(batch, monkeypatch):
    what = part_contents(batch, 0, "")
    monkeypatch.setattr(storage, "CHUNK_BYTES", 3000)  # several chunks, the last of them not full

    def chunks() -> list[tuple]:
        """Every chunk of every variable as it lies in the file."""
        with h5py.File(io.BytesIO(bytes(storage.packed(what)))) as file:
            variables = [file[name].id for name in batch.fields()]
            places = [(v, v.get_chunk_info(i).chunk_offset) for v in variables for i in range(v.get_num_chunks())]
            return [(v.shape, place, v.read_direct_chunk(place)) for v, place in places]

    usual = chunks()
    monkeypatch.setattr(storage, "MANY_BYTES", 1)
    assert chunks() == usual
    assert len(usual) > 20
