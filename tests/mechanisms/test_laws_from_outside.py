"""Laws in files of a user's own: loaded, checked, told where they are wrong, and never mistaken for what they were."""

import json
import pickle
import sys

import numpy as np
import pytest
from own_law import CELL, FORWARD, HEAD, KCC, RATE, RETURN
from places import ROOT

from simulator.cli.app import _run
from simulator.kernel.laws import add_laws
from simulator.mechanisms import outside
from simulator.mechanisms.outside import LawError
from simulator.runs.integrate import run
from simulator.runs.threads import run_batch
from simulator.scenario.yaml.reader import ConfigError
from simulator.storage.start import load_scenario
from simulator.storage.store import read, write

KEY = "membranes.plasma.mechanisms.symport.rate"


def product(trajectory) -> float:
    """K times Cl inside at the end."""
    k, cl = (trajectory.concentration.sel(compartment="cell", species=s)[-1] for s in ("k", "cl"))
    return float(k * cl)


def code_of(page: str, after: str) -> str:
    """The first block of Python after a sentence of a page."""
    return (ROOT / "docs" / page).read_text("utf-8").partition(after)[2].partition("```python\n")[2].partition("```")[0]


@pytest.mark.parametrize(
    ("page", "after"),
    [("architecture.md", "For a K-Cl\nsymporter:"), ("gates_and_own_laws.md", "## A law in a file of your own")],
)
def test_the_law_that_the_pages_show_comes_to_rest_where_the_products_are_equal(own, cell, page, after):
    path = own()
    path.write_text(code_of(page, after))
    assert add_laws(path) == ("kcc",)
    trajectory = run(load_scenario(cell))
    # K_i Cl_i = K_o Cl_o with 120 mM more K than Cl inside: x^2 + 120 x - 600 = 0.
    assert product(trajectory) == pytest.approx(5.0 * 120.0, rel=1e-6)
    cl = float(trajectory.concentration.sel(compartment="cell", species="cl")[-1])
    assert cl == pytest.approx(-60.0 + np.sqrt(60.0**2 + 600.0), rel=1e-6)


def test_a_law_from_outside_is_the_same_law_of_the_library(own, cell):
    add_laws(own())
    ours = run(load_scenario(cell))
    theirs = run(load_scenario(cell, {"membranes.plasma.mechanisms.symport.law": "kcl_symport"}))
    assert np.array_equal(ours.states, theirs.states)


def test_a_scenario_can_name_no_file_and_an_unknown_law_says_what_to_type(cell):
    with pytest.raises(ConfigError, match=r"unknown law `kcc`.*--laws FILE\.py"):
        load_scenario(cell)
    cell.write_text(CELL.replace("run:", "laws: [kcc.py]\nrun:"))
    with pytest.raises(ConfigError, match="unknown key `laws`"):
        load_scenario(cell)


def test_what_a_law_needs_must_be_in_the_scenario(own, cell):
    add_laws(own((HEAD, HEAD[:-2] + ", ca_i, volume_i, volume_o):"), (RETURN, RETURN + "*ca_i/ca_i*volume_i/volume_o")))
    with pytest.raises(ConfigError) as caught:
        load_scenario(cell)
    text = str(caught.value)
    assert "depends on `ca`, which `cell` does not list" in text
    assert "depends on the volume of `bath`, which is fixed and has none" in text


def test_a_changed_law_is_another_law_and_results_keep_the_one_they_were_made_with(own, cell):
    add_laws(own())
    before = run(load_scenario(cell, {"run.duration": "0.1 s"}))
    add_laws(own((RETURN, RETURN + " * 2")))
    after = run(load_scenario(cell, {"run.duration": "0.1 s"}))
    moved = [140.0 - float(t.concentration.sel(compartment="cell", species="k")[-1]) for t in (before, after)]
    assert moved[1] > 1.5 * moved[0] > 0.0
    first, second = (t.provenance for t in (before, after))
    assert first["kernel_hash"] != second["kernel_hash"]
    assert first["law_kcc"] != second["law_kcc"]
    assert before.structure.mechanisms[0][1].law is not after.structure.mechanisms[0][1].law


def test_what_a_law_imports_is_part_of_it(own, cell, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    path = own(("import math", "import factor_of_kcc"), (RETURN, RETURN + " * factor_of_kcc.FACTOR"))
    digests = []
    for factor in (1.0, 2.0):
        (tmp_path / "factor_of_kcc.py").write_text(f"FACTOR = {factor}\n")
        monkeypatch.delitem(sys.modules, "factor_of_kcc", raising=False)
        add_laws(path)
        digests.append(outside.digest_of("kcc"))
    assert digests[0] != digests[1]


def test_a_data_file_names_the_law_and_says_what_to_type_where_it_is_missing(own, cell, tmp_path):
    path = own()
    add_laws(path)
    digest = outside.digest_of("kcc")
    made = run(load_scenario(cell))
    file = write(made, tmp_path / "run.h5")
    batch = write(run_batch(load_scenario(cell), {KEY: [1e-9, 1e-8]}), tmp_path / "sweep")
    assert made.provenance["law_kcc"] == f"kcc.py (SHA-256 {digest})"
    outside.forget("kcc")
    for result in (file, batch):
        with pytest.raises(Exception, match=rf"law `kcc` of kcc.py \(SHA-256 {digest}\).*--laws kcc.py") as caught:
            read(result)
        assert caught.value.kind == "usage"
    add_laws(path)
    assert np.array_equal(read(file).states, made.states)
    assert read(batch).runs == 2
    add_laws(own((RETURN, RETURN + " * 2")))
    with pytest.warns(UserWarning, match="the law `kcc` was that of"):
        read(file)


def test_a_batch_on_threads_computes_what_lone_runs_do(own, cell):
    add_laws(own())
    batch = run_batch(load_scenario(cell), {KEY: [1e-10, 1e-9]}, save="final", threads=2)
    for i, rate in enumerate((1e-10, 1e-9)):
        assert np.array_equal(batch.trajectory(i).states[-1], run(load_scenario(cell, {KEY: rate})).states[-1])


def test_an_entry_goes_to_another_process_with_its_law(own, cell):
    add_laws(own())
    packed = pickle.dumps(load_scenario(cell))
    outside.forget("kcc")
    assert pickle.loads(packed).membranes["plasma"].mechanisms["symport"].library_law.title == "K-Cl symport"


@pytest.fixture
def installed(tmp_path, monkeypatch, own):
    """Install a package that offers a law; its name, module and text can be chosen."""

    def install(module: str = "lab_laws.kcc", text: str = KCC) -> None:
        site = tmp_path / "site"
        (site / "lab_laws-1.dist-info").mkdir(parents=True)
        (site / "lab_laws-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-laws\nVersion: 1\n")
        (site / "lab_laws-1.dist-info" / "entry_points.txt").write_text(f"[ionflux.laws]\nlab_kcc = {module}\n")
        (site / "lab_laws").mkdir()
        (site / "lab_laws" / "__init__.py").touch()
        (site / "lab_laws" / "kcc.py").write_text(text)
        monkeypatch.syspath_prepend(site)
        outside.load_installed.cache_clear()

    yield install
    outside.load_installed.cache_clear()
    for name in [name for name in sys.modules if name.startswith("lab_laws")]:
        del sys.modules[name]


def test_an_installed_package_offers_laws(installed, cell):
    installed()
    cell.write_text(CELL.replace("law: kcc", "law: lab_kcc"))
    trajectory = run(load_scenario(cell))
    assert product(trajectory) == pytest.approx(600.0, rel=1e-6)
    assert trajectory.provenance["law_lab_kcc"].startswith("kcc.py (SHA-256 ")


def test_an_installed_law_that_is_no_formula_is_told_with_its_line(installed, cell):
    installed(text=KCC.replace(RETURN, RETURN + " * np.exp(k_o / cl_o)"))
    cell.write_text(CELL.replace("law: kcc", "law: lab_kcc"))
    with pytest.raises(LawError, match=r"lab-laws.*simulator\.physics\.special") as caught:
        run(load_scenario(cell))
    assert caught.value.issues[0].line == RATE


def test_a_package_whose_law_is_wrong_or_missing_is_named(installed, cell):
    installed(module="lab_laws.nothing")
    with pytest.raises(LawError, match="lab-laws offers the law `lab_kcc`"):
        load_scenario(cell)


# -- the command line -----------------------------------------------------------------------------


def command(capsys, *arguments: object) -> tuple[int, str, str]:
    code = _run([str(a) for a in arguments], as_json="--json" in arguments, debug=False)
    return code, *capsys.readouterr()


def test_every_command_takes_laws_before_or_after_its_name(own, cell, tmp_path, capsys):
    law, file = own(), tmp_path / "run.h5"
    assert command(capsys, "validate", cell)[0] == 2
    assert command(capsys, "--laws", law, "validate", cell)[0] == 0
    outside.forget("kcc")
    assert command(capsys, "run", cell, f"--laws={law}", "-o", file)[0] == 0
    for arguments in (["equations", cell], ["kernel", cell], ["steady", cell], ["compare", file, file], ["info", file]):
        outside.forget("kcc")
        assert command(capsys, *arguments)[0] == 2
        code, out, err = command(capsys, *arguments, "--laws", law)
        assert code == 0, err
        assert out
    outside.forget("kcc")
    assert f"K-Cl symport [{law}]" in command(capsys, "mechanisms", "--laws", law)[1]
    assert f"file: {law}, SHA-256 {outside.digest_of('kcc')}" in command(capsys, "mechanisms", "kcc")[1]
    laws = json.loads(command(capsys, "schema")[1])["$defs"]
    assert "Kcc" in laws


def test_a_sweep_with_a_law_of_ones_own_is_resumed_and_not_with_a_changed_one(own, cell, tmp_path, capsys):
    cell.write_text(CELL + f"sweep: {{mode: grid, over: {{{KEY}: [1e-10 m^4/mol/s, 1e-9 m^4/mol/s]}}}}\n")
    law, target = own(), tmp_path / "sweep"
    assert command(capsys, "run", cell, "--laws", law, "-o", target)[0] == 0
    code, _, err = command(capsys, "run", cell, "--laws", law, "-o", target)
    assert code == 0
    assert "already complete" in err
    with pytest.warns(UserWarning, match="the law `kcc` was that of"):
        code, _, err = command(capsys, "run", cell, "--laws", own((RETURN, RETURN + " * 2")), "-o", target)
    assert code == 2
    assert "another version of the equations" in err


def test_a_data_file_repeats_its_run_with_its_law(own, cell, tmp_path, capsys):
    law, file, again = own(), tmp_path / "run.h5", tmp_path / "again.h5"
    assert command(capsys, "run", cell, "--laws", law, "-o", file)[0] == 0
    outside.forget("kcc")
    code, _, err = command(capsys, "run", file, "-o", again)
    assert code == 2
    assert "law `kcc` of kcc.py" in err
    assert "--laws kcc.py" in err
    assert command(capsys, "run", file, "-o", again, "--laws", law)[0] == 0
    assert np.array_equal(read(file).states, read(again).states)


def test_a_wrong_law_ends_with_one_line_and_exit_code_2(own, cell, capsys):
    law = own((RETURN, "return rate * k_o"))
    code, out, err = command(capsys, "run", cell, "--laws", law)
    assert (code, out) == (2, "")
    assert err.startswith(f"{law}:{FORWARD}: the rate is a permeability")
    (law.parent / "other").mkdir()
    other = own()
    other = other.rename(law.parent / "other" / "kcc.py")
    code, _, err = command(capsys, "validate", cell, "--laws", own(), "--laws", other)
    assert code == 2
    assert "are both a law `kcc`" in err
    law = own((RETURN, "return rate * k_o"))
    code, out, _ = command(capsys, "validate", cell, "--laws", law, "--json")
    assert code == 2
    assert json.loads(out)["errors"][0]["line"] == FORWARD
    assert command(capsys, "validate", cell, "--laws")[0] == 2
