"""Laws in files, and scenarios that use them."""

from pathlib import Path

import pytest
from own_law import CELL, KCC

from simulator.mechanisms import library, outside


@pytest.fixture
def own(tmp_path):
    """Write a law's file, changed as told; what is loaded in a test is unknown after it."""
    before = dict(library())

    def write(*changes: tuple[str, str], name: str = "kcc") -> Path:
        text = KCC
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return path

    yield write
    for name in library().keys() - before.keys():
        outside.forget(name)


@pytest.fixture
def cell(tmp_path):
    """A cell whose only mechanism is the symport."""
    path = tmp_path / "cell.yaml"
    path.write_text(CELL)
    return path
