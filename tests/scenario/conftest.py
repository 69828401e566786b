"""Scenario files that are refused."""

import pytest

from simulator.scenario.yaml.reader import ConfigError, read_config


@pytest.fixture
def refused(tmp_path):
    """Write a file, read it, and return what was wrong with it."""

    def read(content, overrides=None):
        path = tmp_path / "cell.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(ConfigError) as error:
            read_config(path, overrides)
        assert error.value.kind == "usage"
        return error.value.issues

    return read
