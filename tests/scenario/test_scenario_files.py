"""Reading scenario files: every refusal has its place and a hint, and no bytes show a traceback."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from cell_file import TEXT, replaced
from places import CONFIGS

from simulator.scenario.yaml.reader import ConfigError, read_config
from simulator.storage.start import load_scenario


def place(issue):
    return issue.line, issue.column


def at(text, part):
    """Line and column (from 1) of a part of a text."""
    before = text[: text.index(part)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


# -- T01 to T06: what the values say ---------------------------------------------------------------


def test_mistyped_keys_and_a_wrong_type_are_reported_together(refused):
    text = replaced("permeability", "permeabillity").replace("capacitance", "capacitence").replace("37 degC", "true")
    issues = refused(text)
    assert [(i.key, place(i)) for i in issues] == [
        ("temperature", at(text, "temperature")),
        ("membranes.plasma.capacitence", at(text, "capacitence")),
        ("membranes.plasma.mechanisms.k_leak.permeabillity", at(text, "permeabillity")),
    ]
    assert "this is `true`" in issues[0].problem
    assert issues[1].hint == "did you mean `capacitance`?"
    assert issues[2].hint == "did you mean `permeability`?"


def test_wrong_values_do_not_hide_what_does_not_fit_together(refused):
    text = replaced("37 degC", "true").replace("capacitance", "capacitence").replace("inside: cell", "inside: sell")
    assert [i.key for i in refused(text)] == [
        "temperature",
        "membranes.plasma.inside",
        "membranes.plasma.capacitence",
    ]


@pytest.mark.parametrize(
    ("old", "new", "key", "problem", "expected"),
    [
        ("37 degC", "true", "temperature", "this is `true`", "a temperature"),
        ("48 h", '"ten"', "run.duration", "`ten` does not start with a number", "a time"),
        ("{na: 15 mM, k: 140 mM, cl: 13 mM}", "[1, 2]", "compartments.cell.concentrations", "a list", "key: value"),
        ("fixed: true", "fixed: 1", "compartments.bath.fixed", "the number `1`", "true or false"),
        ("48 h", "48", "run.duration", "`48` has no unit", "a time"),
        ("inside: cell", "inside: {a: b}", "membranes.plasma.inside", "a block of keys", "a text"),
        ("4.19 pL", "", "compartments.cell.volume", "there is no value", ""),
        ("37 degC", "~", "temperature", "there is no value", ""),
    ],
)
def test_wrong_types_name_what_was_given_and_what_was_expected(refused, old, new, key, problem, expected):
    [issue] = refused(replaced(old, new))
    assert issue.key == key
    assert problem in issue.problem
    assert expected in issue.expected


def test_a_key_that_stands_twice_is_shown_with_both_lines(refused):
    text = replaced("      pump:", "      k_leak: {law: leak_ghk, ion: k, permeability: 1.0e-9 m/s}\n      pump:")
    [issue] = refused(text)
    assert (issue.line, issue.key) == (20, "membranes.plasma.mechanisms.k_leak")
    assert "line 19" in issue.problem


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1e400", "1e400 mV", "nan mM", "inf mV", "9" * 400])
def test_numbers_that_are_not_finite_are_refused_at_their_key(refused, value):
    [issue] = refused(replaced("-60 mV", value))
    assert issue.key == "membranes.plasma.potential"
    assert "not a finite number" in issue.problem or "too large" in issue.problem


@pytest.mark.parametrize(
    ("old", "new", "problem", "hint"),
    [
        ("-60 mV", "-70 mM", "is an amount concentration", ""),
        ("-60 mV", "-70 MV", "out of range", "did you mean `-70 mV`?"),
        ("k: 140 mM", "k: 140 mm", "is a length", "did you mean `140 mM`?"),
        ("37 degC", "310 degC", "out of range", "did you mean `310 K`?"),
        ("37 degC", "37 K", "out of range", "did you mean `37 degC`?"),
    ],
)
def test_wrong_units_are_named_with_the_likely_one(refused, old, new, problem, hint):
    [issue] = refused(replaced(old, new))
    assert problem in issue.problem
    assert issue.hint == hint


@pytest.mark.parametrize(
    ("old", "new", "bound"),
    [
        ("k: 140 mM", "k: -1 mM", "from 0 mM"),
        ("4.19 pL", "0 pL", "above 0"),
        ("1 uF/cm^2", "0 uF/cm^2", "above 0"),
        ("37 degC", "-1 K", "from 250 K"),
        ("ghk, ion: k, permeability: 4.0e-9 m/s", "ohmic, ion: k, conductance: -1 S/m^2", "at least 0"),
        ("48 h", "0 s", "above 0"),
        ("5 min", "50 h", "at most the duration"),
        ("{law: leak_ghk, ion: k,", "{law: leak_ghk, ion: glucose,", "a charged species"),
    ],
)
def test_impossible_physics_is_refused_with_its_bound(refused, old, new, bound):
    [issue] = refused(replaced(old, new))
    assert bound in issue.expected
    assert issue.line


# -- T07 to T11, T14: what the file is -------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "fault", "words"),
    [
        ("    fixed: true", "\tfixed: true", "\tfixed", "tab"),
        ("    inside: cell", "  \tinside: cell", None, "tab"),
        ("cl: 149.5 mM}", "cl: 149.5 mM", "{na: 145", "`{` is not closed"),
        ("48 h, save_every: 5 min}", "48 h, save_at: [1 h, 2 h}", None, "`]` is missing"),
        ("    outside: bath", "  outside: bath", "outside", "not indented like the others"),
        ("    volume: 4.19", "   volume: 4.19", "concentrations: {na: 15", "the line above already has a value"),
        ("    outside: bath", "      outside: bath", "outside", "indented too far"),
        ("    inside: cell", "    inside cell", "inside cell", "no colon"),
        ("temperature: 37", "temperature 37", "temperature", "no colon"),
        ("  plasma:", "  plasma", "plasma", "no colon"),
        ("    inside: cell", "    inside:cell", ":cell", "no space after this colon"),
        ("name: cell", "name: 'cell", "'cell", "quote that opens here"),
        ("name: cell", 'name: "cell', '"cell', "quote that opens here"),
        ("name: cell", "name: my: cell", ": cell", "two colons"),
        ("name: cell", "name: @cell", "@cell", "cannot start with `@`"),
        ("cl: 149.5 mM}", "cl: 149.5 mM}}", None, "does not belong here"),
        ("na: 145 mM, k", "na: 145 mM k", None, "comma"),
    ],
)
def test_broken_yaml_is_explained_where_it_is_to_be_mended(refused, old, new, fault, words):
    text = replaced(old, new)
    [issue] = refused(text)
    assert words in issue.problem
    assert issue.line == at(text, new.splitlines()[0].strip(" \t")[:6])[0] if fault is None else True
    if fault is not None:
        assert place(issue) == at(text, fault)


def test_tags_are_refused_and_run_nothing(refused, tmp_path):
    sentinel = tmp_path / "sentinel"
    [issue] = refused(f'{TEXT}description: !!python/object/apply:os.system ["touch {sentinel}"]\n')
    assert "tag `!!python/object/apply:os.system` is not allowed" in issue.problem
    assert issue.key == "description"
    assert not sentinel.exists()


def limited(path):
    """Validate a file in a process of its own with 200 MB beyond what the import takes; seconds and answer."""
    code = (
        "import sys, resource, time, simulator.scenario.yaml.reader as c\n"
        "used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "begun = time.perf_counter()\n"
        "try: c.read_config(sys.argv[1])\n"
        "except c.ConfigError as e: print(e)\n"
        "print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=CONFIGS.parent, check=True
    )
    *answer, last = result.stdout.splitlines()
    seconds, kilobytes = map(float, last.split())
    return "\n".join(answer), seconds, kilobytes / 1024 / (1 if sys.platform != "darwin" else 1024)


def test_an_alias_bomb_is_refused_quickly_and_small(tmp_path):
    path = tmp_path / "bomb.yaml"
    names = "abcdefghi"
    lines = [f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]" for a, b in pairwise(names)]
    path.write_text("\n".join(["a: &a [x,x,x,x,x,x,x,x,x]", *lines]))
    answer, seconds, megabytes = limited(path)
    assert "expands to more than" in answer
    assert (seconds < 2.0, megabytes < 100.0) == (True, True)


def test_a_few_anchors_still_work(tmp_path):
    path = tmp_path / "cell.yaml"
    path.write_text(replaced("k: 4.5 mM", "k: &k 4.5 mM").replace("k: 140 mM", "k: *k"))
    assert load_scenario(path).compartments["cell"].concentrations["k"] == 4.5


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a: " + "{a: " * 5000, "- " * 5000, "\n".join(" " * i + "a:" for i in range(300))]
)
def test_deep_nesting_is_refused_quickly(tmp_path, text):  # fmt: skip
    path = tmp_path / "deep.yaml"
    path.write_text(text)
    answer, seconds, _ = limited(path)
    assert "levels deep" in answer
    assert seconds < 2.0


def test_depth_counts_through_aliases(refused):
    lines = ["x0: &x0 1"] + [f"x{i}: &x{i} {'[' * 40}*x{i - 1}{']' * 40}" for i in range(1, 60)]
    [issue] = refused("\n".join(lines))
    assert "levels deep" in issue.problem


def test_odd_files_have_different_and_correct_messages(tmp_path):
    contents = {
        "is empty": b"",
        "only comments": b"# hello\n# there\n",
        "second document": b"name: a\n---\nname: b\n",
        "holds a list": b"- name: a\n",
        "UTF-16": TEXT.encode("utf-16"),
        "not UTF-8 text": "name: caf\u00e9".encode("latin-1"),
        "control character": b"name: a\0b\n",
        "larger than 1 MiB": b"#" * 50_000_000,
        "a single value": b"hello",
    }
    messages = set()
    for number, (words, content) in enumerate(contents.items()):
        path = tmp_path / f"{number}.yaml"
        path.write_bytes(content)
        messages.add(message := refusal(path, words))
        assert str(path) in message
    messages.add(refusal(tmp_path, "a directory"))
    messages.add(refusal(tmp_path / "absent.yaml", "no such file"))
    messages.add(refusal(Path("a\0b.yaml"), "no such file"))
    assert len({m.split(": ", 1)[1] for m in messages}) == len(contents) + 2


def refusal(path, words):
    with pytest.raises(ConfigError, match=words) as error:
        read_config(path)
    assert len(error.value.issues) == 1
    return str(error.value)


def test_a_near_file_name_is_suggested():
    assert "did you mean `leaky_bucket.yaml`?" in refusal(CONFIGS / "leeky_bucket.yaml", "no such file")


def test_devices_and_pipes_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    refusal(tmp_path / "pipe.yaml", "not a regular file")
    refusal(Path("/dev/zero"), "not a regular file")


@pytest.mark.parametrize("name", ['"a\\0b"', "x" * 300, "''", '"a\\nb"', '"\\e[31m"', "5"])
def test_titles_that_do_not_fit_into_a_line_are_refused(refused, name):
    [issue] = refused(replaced("name: cell", f"name: {name}"))
    assert issue.key == "name"


@pytest.mark.parametrize("label", ["../x", "A", "x" * 42, "9", "a-b", "a b", "\u00e9"])
def test_labels_follow_their_pattern(refused, label):
    issues = refused(replaced("      pump:", f"      {label}:"))
    assert any("not a valid name" in i.problem or "not text" in i.problem for i in issues)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1: 2", "not text"),
        ("true: 2", "not text"),
        ("? [a, b]\n: 2", "not a plain word"),
        ("<<: {name: x}", "merge keys"),
        ("description: *nothing", "refers to no anchor"),
        ("description: &a [*a]", "refers to no anchor"),
        ("sweep: {mode: grid}", "a grid sweep needs `over`"),
    ],
)
def test_other_things_of_yaml_are_refused_by_name(refused, line, words):
    assert words in refused(f"{TEXT}{line}\n")[0].problem


def test_byte_order_mark_and_windows_line_ends_are_harmless(tmp_path):
    path = tmp_path / "cell.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load_scenario(path).name == "cell"
