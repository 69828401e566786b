"""Small claims about the files around the code."""

import os
import re
import tomllib
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement
from places import CONFIGS, ROOT

import simulator

SCENARIOS = sorted(
    path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml") if path.parent.name != "reference"
)
CASES = sorted(path.stem for path in (CONFIGS / "reference").glob("*.yaml") if not path.stem.endswith(".expected"))
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_lock_file_names_no_address():
    assert re.findall(r"\S*(?:://|@ )\S*|^-.*", LOCK, re.MULTILINE) == []


def test_the_lock_file_pins_every_package_by_hash():
    pinned = re.findall(r"^[\w.-]+==[^\n]+\\\n +--hash=sha256:[0-9a-f]{64}", LOCK, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[^\s#]", LOCK, re.MULTILINE)) > 0


def test_the_lock_file_meets_the_declared_requirements():
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE))
    extras = PROJECT["optional-dependencies"]
    for text in [*PROJECT["dependencies"], *extras["test"], *extras["lint"]]:
        wanted = Requirement(text)
        assert locked[wanted.name.replace(".", "-").lower()] in wanted.specifier, text


def test_the_version_is_stated_in_pyproject_alone():
    assert simulator.__version__ == version("ionflux") == PROJECT["version"]


def test_there_are_shipped_scenarios():
    assert SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_shipped_scenario_is_listed_in_the_readme_of_configs(scenario):
    assert scenario in (CONFIGS / "README.md").read_text("utf-8")


@pytest.mark.parametrize("case", CASES)
def test_every_reference_case_has_expected_numbers_and_a_line_in_their_readme(case):
    folder = CONFIGS / "reference"
    assert (folder / f"{case}.expected.yaml").is_file()
    assert case in (folder / "README.md").read_text("utf-8")


def test_unreleased_changes_have_a_physics_heading():
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8").partition("## Unreleased")[2].partition("\n## ")[0]
    assert "### Physics" in changes


def test_the_continuous_integration_script_can_be_executed():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
