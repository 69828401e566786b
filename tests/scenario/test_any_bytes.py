"""Whatever the bytes of a scenario file, there is a scenario or a complaint, and no traceback."""

import contextlib
import json

from cell_file import TEXT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import CONFIGS

from simulator.scenario.yaml.reader import ConfigError, from_resolved, read_plain
from simulator.storage.start import load_scenario

ANY = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=200)


def survives(path, content):
    path.write_bytes(content)
    issues = []
    try:
        scenario = load_scenario(path)
    except ConfigError as error:
        issues = error.issues
    else:
        assert from_resolved(json.dumps(scenario.resolved(), allow_nan=False)).scenario == scenario
        return
    assert issues
    assert all(issue.problem and "\n" not in str(issue) for issue in issues)


@ANY
@given(content=st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_without_a_traceback(tmp_path, content):
    survives(tmp_path / "x.yaml", content)


@ANY
@given(content=st.text(alphabet="ab:- \n\t[]{},&*!|>'\"%@#?<=~0.e", max_size=60))
def test_arbitrary_yaml_like_text_is_refused_without_a_traceback(tmp_path, content):
    survives(tmp_path / "x.yaml", content.encode())


@ANY
@given(data=st.data())
def test_mutated_scenarios_are_read_or_refused_without_a_traceback(tmp_path, data):
    text = TEXT + "protocol:\n  - {at: 2 h, set: {membranes.plasma.mechanisms.pump.max_rate: 0 umol/m^2/s}}\n"
    content = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        end = start + data.draw(st.integers(0, 12))
        content[start:end] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b": ", b"\n", b"{", b"- ", b"1e999", b"k"])
        )
    survives(tmp_path / "x.yaml", bytes(content))


@ANY
@given(data=st.data())
def test_swapped_parts_of_a_scenario_are_read_or_refused_without_a_traceback(tmp_path, data):
    """Valid YAML with values in the wrong places reaches the checks behind the parser."""
    stored = data.draw(st.booleans())
    protocol = read_plain(CONFIGS / "pump_stopped.yaml")["protocol"]
    tree = read_plain(CONFIGS / "leaky_bucket.yaml") | {"protocol": protocol}
    tree = load_scenario(CONFIGS / "pump_stopped.yaml").resolved() if stored else tree
    parts = list(walk(tree))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key, _ = data.draw(st.sampled_from(parts))
        _, _, other = data.draw(st.sampled_from(parts))
        holder[key] = data.draw(
            st.sampled_from([json.loads(json.dumps(other)), None, True, -1, "1 mM", "5 min", [], {}, "k", 1e300])
        )
    text = json.dumps(tree)
    if not stored:
        survives(tmp_path / "x.yaml", text.encode())
        return
    with contextlib.suppress(ConfigError):
        assert from_resolved(text).scenario.resolved()


def walk(value):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key, item
        yield from walk(item)
