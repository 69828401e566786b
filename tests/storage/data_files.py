"""What is asked of every data file: the same run back, or a refusal in one line."""

import pytest

from simulator.storage.datafile import DataFileError
from simulator.storage.store import read
from simulator.trajectory.arrangement import ARRANGED

ARRAY_FIELDS = ("time", *ARRANGED)


def same(a, b):
    """Whether two runs are the same, to the last bit of every number."""
    arrays = all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in ARRAY_FIELDS)
    return (
        arrays
        and a.labels == b.labels
        and a.scenario.resolved() == b.scenario.resolved()
        and (a.status, a.end_time, a.culprit) == (b.status, b.end_time, b.culprit)
    )


def refusal(path):
    """What `read` says of a bad file, in one line that names it."""
    with pytest.raises(DataFileError) as caught:
        read(path)
    text = str(caught.value)
    assert caught.value.kind == "data_file"
    assert str(path) in text
    assert "\n" not in text
    return text
