"""The examples of docs/rest_points.md, run as they stand."""

import os
import re
import shlex
import subprocess
import sys

import pytest
from places import CONFIGS, ROOT

PAGE = (ROOT / "docs" / "rest_points.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder like the one of a user: the shipped scenarios, and the file that the page shows."""
    place = tmp_path_factory.mktemp("user")
    (place / "configs").symlink_to(CONFIGS)
    [text] = [text for kind, text in BLOCKS if kind == "yaml"]
    (place / "measured.yaml").write_text(text)
    return place


def run(folder, *command):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=300)


def test_commands_print_what_the_page_shows(folder):
    """Lines after ``$`` are commands; those below are parts of their output, on stderr where they begin with ``!``."""
    done, seen = None, 0
    for line in (line for kind, text in BLOCKS if not kind for line in text.splitlines()):
        if line.startswith("$ "):
            [program, *arguments] = shlex.split(line[2:])
            assert program == "ionflux"
            done = run(folder, sys.executable, "-m", "simulator", *arguments)
            assert done.returncode in (0, 3), done.stderr
        else:
            found = done.stderr if line.startswith("! ") else done.stdout
            assert line.removeprefix("! ") in found
            assert ("! " in line) == (done.returncode == 3)
            seen += 1
    assert seen > 10
    for figure in ("control.png", "branches.png"):
        assert (folder / figure).stat().st_size > 10_000


def test_python_examples_run(folder):
    program = "\n".join(text for kind, text in BLOCKS if kind == "python")
    done = run(folder, sys.executable, "-c", program)
    assert done.returncode == 0, done.stderr
    *_, coefficient, weakest = done.stdout.splitlines()
    assert float(coefficient) == pytest.approx(0.0148, abs=5e-5)
    assert float(weakest) == pytest.approx(1.1036e-7, rel=1e-4)
