"""Scenarios that tests of waveforms write down."""

import pytest
from moving import PATCH

from simulator.storage.start import load_scenario


@pytest.fixture
def patch(tmp_path):
    """Load the patch with a protocol, and other values by dotted path."""

    def read(*events, **changes):
        protocol = "".join(f"  - {event}\n" for event in events)
        path = tmp_path / "patch.yaml"
        path.write_text(PATCH.replace("PROTOCOL\n", f"protocol:\n{protocol}" if events else ""))
        return load_scenario(path, {key.replace("__", "."): value for key, value in changes.items()})

    return read
