"""The scenario itself: what it refuses, what it knows, and that it survives being written down."""

import copy
import json
import pickle

import jsonschema
import pytest
from pydantic import ValidationError

from simulator.mechanisms import library
from simulator.physics.constants import FARADAY, GAS_CONSTANT
from simulator.scenario.scenario import Scenario, differences
from simulator.scenario.schema import json_schema
from simulator.scenario.yaml.reader import read_plain
from simulator.storage.start import load_scenario

CELL = {
    "name": "a cell",
    "species": {"anion": {"charge": -1}},
    "compartments": {
        "bath": {"fixed": True, "concentrations": {"na": 145.0, "k": 4.5, "cl": 116.0, "glucose": 5.0}},
        "cell": {
            "geometry": {"sphere": {"radius": 1e-5}},
            "concentrations": {"na": 15.0, "k": 140.0, "cl": 10.0, "glucose": 0.0},
            "impermeant": {"concentration": 50.0, "charge": "auto"},
        },
    },
    "membranes": {
        "plasma": {
            "inside": "cell",
            "outside": "bath",
            "potential": -0.06,
            "mechanisms": {
                "k_leak": {"law": "leak_ghk", "ion": "k", "permeability": 4e-9},
                "pump": {"law": "na_k_pump_hill", "max_rate": 8e-7, "k_na": 10.0, "k_k": 1.5},
            },
        }
    },
    "run": {"duration": 3600.0},
}


def changed(**changes):
    """The cell with values put at dotted paths (``__`` for a dot); None takes a key away."""
    data = copy.deepcopy(CELL)
    for path, value in changes.items():
        *above, last = path.split("__")
        place = data
        for key in above:
            place = place.setdefault(key, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return data


def complaints(data, **context):
    with pytest.raises(ValidationError) as error:
        Scenario.model_validate(data, context=context or None)
    found: dict[str, str] = {}
    for e in error.value.errors():
        key = ".".join(map(str, e["loc"]))
        found[key] = f"{found[key]}\n{e['msg']}" if key in found else e["msg"]
    return found


def event(**what):
    return {"protocol": [{"at": 60.0, **what}]}


@pytest.mark.parametrize("path", ["benchmark_cell", "pump_stopped", "sealed_bucket", "published/kay_2017"])
def test_resolved_scenario_reads_back_bit_for_bit(configs, path):
    scenario = load_scenario(configs / f"{path}.yaml")
    again = Scenario.model_validate(json.loads(json.dumps(scenario.resolved(), allow_nan=False)))
    assert again == scenario
    assert differences(scenario, again) == []


def test_shipped_scenarios_all_read_without_a_warning(configs):
    for path in configs.rglob("*.yaml"):
        if not path.name.endswith(".expected.yaml"):
            assert load_scenario(path).warnings == (), path


def test_body_temperature_is_the_default_and_only_one_of_two_may_be_given():
    scenario = Scenario.model_validate(CELL)
    assert scenario.temperature == 310.15
    assert scenario.thermal_voltage == GAS_CONSTANT * 310.15 / FARADAY
    rounded = Scenario.model_validate(changed(rt_over_f=0.02569))
    assert (rounded.temperature, rounded.thermal_voltage) == (None, 0.02569)
    assert rounded.kelvin == pytest.approx(0.02569 * FARADAY / GAS_CONSTANT)
    assert (
        "temperature and rt_over_f are both given"
        in complaints(changed(rt_over_f=0.02569, temperature=310.0))["rt_over_f"]
    )


def test_a_scenario_cannot_be_changed():
    scenario = Scenario.model_validate(CELL)
    with pytest.raises(ValidationError):
        scenario.name = "other"
    concentrations = scenario.compartments["cell"].concentrations
    with pytest.raises(TypeError):
        concentrations["na"] = 1.0
    with pytest.raises(TypeError):
        concentrations.update(na=1.0)
    assert pickle.loads(pickle.dumps(scenario)) == scenario
    assert copy.deepcopy(scenario) == scenario


def test_numbers_are_named_by_dotted_path_with_their_units():
    data = changed(protocol=[{"at": 60.0, "set": {"membranes.plasma.mechanisms.pump.max_rate": 0.0}}])
    scenario = Scenario.model_validate(data)
    numbers = scenario.quantities()
    assert numbers["membranes.plasma.mechanisms.pump.max_rate"] == 8e-7
    assert numbers["membranes.plasma.capacitance"] == 0.01
    assert numbers["compartments.cell.geometry.sphere.radius"] == 1e-5
    assert numbers["protocol.0.at"] == 60.0
    assert numbers["protocol.0.set.membranes.plasma.mechanisms.pump.max_rate"] == 0.0
    assert numbers["species.anion.charge"] == -1
    assert "compartments.cell.impermeant.charge" not in numbers
    assert "compartments.bath.fixed" not in numbers
    assert scenario.unit_of("protocol.0.set.membranes.plasma.mechanisms.pump.max_rate") == "mol/m^2/s"
    assert scenario.unit_of("compartments.cell.concentrations.k") == "mol/m^3"
    assert scenario.unit_of("run.rtol") == "1"


def test_charges_come_in_order_of_first_appearance():
    assert list(Scenario.model_validate(CELL).charges().items()) == [("na", 1), ("k", 1), ("cl", -1), ("glucose", 0)]


def test_a_mechanism_tells_its_law_its_species_and_its_numbers():
    mechanisms = Scenario.model_validate(CELL).membranes["plasma"].mechanisms
    assert (mechanisms["k_leak"].law, mechanisms["k_leak"].chosen) == ("leak_ghk", "k")
    assert (mechanisms["pump"].law, mechanisms["pump"].chosen) == ("na_k_pump_hill", None)
    assert mechanisms["pump"].values() == {"max_rate": 8e-7, "k_na": 10.0, "k_k": 1.5}


@pytest.mark.parametrize("law", library())
def test_every_law_of_the_library_can_be_used(law):
    declared = library()[law]
    entry = {"law": law} | {p.name: 1e-3 for p in declared.parameters}
    chosen = {"ion": "k", "species": "glucose", None: None}[declared.chooses]
    if declared.chooses:
        entry[declared.chooses] = chosen
    partners = ("mg", "ca")[: len(declared.partners)]
    entry |= dict(zip(declared.partners, partners, strict=True))
    listed = {
        f"compartments__{side}__concentrations__{s}": 1.0
        for s in declared.stoichiometry(chosen, partners)
        for side in ("cell", "bath")
    }
    scenario = Scenario.model_validate(changed(membranes__plasma__mechanisms={"it": entry}, **listed))
    assert scenario.membranes["plasma"].mechanisms["it"].values() == {p.name: 1e-3 for p in declared.parameters}
    required = next((p.name for p in declared.parameters if p.default is None), declared.chooses)
    del entry[required]
    found = complaints(changed(membranes__plasma__mechanisms={"it": entry}, **listed))
    assert any("is missing" in text for text in found.values())


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"compartments__cell__volume": 1e-15}, "compartments.cell.geometry", "volume and geometry are both given"),
        ({"compartments__cell__geometry": None}, "compartments.cell", "volume is missing"),
        ({"compartments__cell__geometry": {}}, "compartments.cell.geometry", "either sphere or cylinder"),
        ({"compartments__bath__volume": 1e-15}, "compartments.bath.volume", "fixed compartment has no volume"),
        ({"compartments__cell__open_circuit": True}, "compartments.cell.open_circuit", "only a fixed"),
        (
            {"compartments__bath__impermeant": {"concentration": 1.0, "charge": "auto"}},
            "compartments.bath.impermeant.charge",
            "a number",
        ),
        ({"compartments__cell__concentrations__kk": 1.0}, "compartments.cell.concentrations.kk", "unknown species"),
        ({"species__k": {"charge": 2}}, "species.k.charge", "built in with charge 1"),
        ({"membranes": {}}, "membranes", "at least one membrane"),
        ({"membranes__plasma__inside": "cel"}, "membranes.plasma.inside", "did you mean `cell`?"),
        ({"membranes__plasma__inside": "bath"}, "membranes.plasma.outside", "two different compartments"),
        (
            {"compartments__cell__volume": 1e-15, "compartments__cell__geometry": None},
            "membranes.plasma",
            "the area is missing",
        ),
        (
            {"compartments__cell__concentrations__k": None},
            "membranes.plasma.mechanisms.k_leak.ion",
            "add `k: 0 mM` to compartments.cell.concentrations",
        ),
        (
            {"compartments__cell__concentrations__na": None},
            "membranes.plasma.mechanisms.pump.law",
            "add `na: 0 mM` to compartments.cell.concentrations",
        ),
        (
            {"membranes__plasma__mechanisms__k_leak__ion": "glucose"},
            "membranes.plasma.mechanisms.k_leak.ion",
            "diffusion_neutral",
        ),
        ({"membranes__plasma__mechanisms__k_leak__ion": "kk"}, "membranes.plasma.mechanisms.k_leak.ion", "unknown"),
        ({"membranes__plasma__mechanisms__Leak": {}}, "membranes.plasma.mechanisms.Leak", "did you mean `leak`?"),
        ({"run__save_every": 7200.0}, "run.save_every", "at most the duration, 1 h"),
        ({"run__save_every": 1e-6}, "run.save_every", "at most 10000000 saved points"),
        ({"run__save_every": 1.0, "run__save_at": [1.0]}, "run.save_at", "either save_every or save_at"),
        ({"run__save_at": [1.0, 4000.0]}, "run.save_at.1", "after the end of the run"),
        ({"run__max_steps": True}, "run.max_steps", "this is `true`"),
        ({"run__max_steps": 1.5}, "run.max_steps", "not whole"),
        ({"run__until": "stedy"}, "run.until", "did you mean `steady`?"),
        ({"name": 5}, "name", "put it in quotes"),
        ({"name": "a\u202eb"}, "name", "control character"),
        ({"temperature": float("nan")}, "temperature", "not a finite number"),
        ({"temperature": 10**400}, "temperature", "too large"),
        ({"compartments__bath__fixed": 1}, "compartments.bath.fixed", "true or false"),
        ({"membranes__plasma__water": "wet"}, "membranes.plasma.water", "one of fixed, instant"),
        ({"membranes__plasma__water": {"permeability": -1.0}}, "membranes.plasma.water.permeability", "from 0 m/s"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_its_key(changes, key, words):
    found = complaints(changed(**changes))
    assert words in found[key]


def test_water_needs_a_side_that_can_swell():
    data = changed(compartments__ecs={"fixed": True, "concentrations": {"k": 1.0}})
    data["membranes"]["wall"] = {"inside": "ecs", "outside": "bath", "area": 1e-9, "water": "instant"}
    assert "no water can move" in complaints(data)["membranes.wall.water"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("compartments.cell.concentrations.k", "initial value of the free compartment `cell`"),
        ("compartments.cell.geometry.sphere.radius", "initial value of the free compartment `cell`"),
        ("compartments.cell.impermeant.concentration", "initial value of the free compartment `cell`"),
        ("membranes.plasma.potential", "clamp"),
        ("run.duration", "setting of the run as a whole"),
        ("run.rtol", "setting of the run as a whole"),
        ("species.anion.charge", "charge number"),
        ("atp_free_energy", "whole run"),
        ("name", "there is no number"),
        ("membranes.plasma.mechanisms.pump.max_rat", "did you mean `membranes.plasma.mechanisms.pump.max_rate`?"),
    ],
)
def test_only_parameters_and_fixed_baths_change_during_a_run(path, reason):
    found = complaints(changed(**event(set={path: 1.0})))
    assert reason in found[f"protocol.0.set.{path}"]


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("membranes.plasma.mechanisms.pump.max_rate", "1 umol/m^2/s", 1e-6),
        ("membranes.plasma.capacitance", "2 uF/cm^2", 0.02),
        ("compartments.bath.concentrations.k", "20 mM", 20.0),
        ("temperature", "20 degC", 293.15),
    ],
)
def test_new_values_are_checked_against_the_unit_and_bounds_of_what_they_replace(path, text, value):
    scenario = Scenario.model_validate(changed(**event(set={path: text})))
    assert scenario.protocol[0].set == {path: value}
    assert "is a time" in complaints(changed(**event(set={path: "3 s"})))[f"protocol.0.set.{path}"]
    assert "out of range" in complaints(changed(**event(set={path: -1.0})))[f"protocol.0.set.{path}"]


@pytest.mark.parametrize(
    ("what", "key", "words"),
    [
        ({"clamp": {"plasma": {"potential": 0.0, "carrier": "glucose"}}}, "clamp.plasma.carrier", "carries no current"),
        ({"clamp": {"plasma": {"potential": 0.0, "carrier": "anion"}}}, "clamp.plasma.carrier", "does not list"),
        ({"clamp": {"plasma": {"potential": 0.0, "carrier": "xx"}}}, "clamp.plasma.carrier", "unknown species"),
        ({"clamp": {"plsma": {"potential": 0.0, "carrier": "k"}}}, "clamp.plsma", "did you mean `plasma`?"),
        ({"clamp": {"plasma": {"potential": 5.0, "carrier": "k"}}}, "clamp.plasma.potential", "from -1 V to 1 V"),
        ({"release": ["plsma"]}, "release.0", "did you mean `plasma`?"),
        ({"set": {}}, "set", "nothing to set"),
        ({"release": "plasma"}, "release", "expected a list"),
    ],
)
def test_events_name_membranes_and_carriers_that_exist(what, key, words):
    assert words in complaints(changed(**event(**what)))[f"protocol.0.{key}"]


def test_an_event_is_one_of_three_and_lies_within_the_run():
    assert "one of set, clamp, release" in complaints(changed(protocol=[{"at": 1.0}]))["protocol.0"]
    assert "one of set, clamp, release" in complaints(changed(protocol=["now"]))["protocol.0"]
    late = {"at": 4000.0, "release": ["plasma"]}
    assert "after the end" in complaints(changed(protocol=[late]))["protocol.0.at"]
    both = {"at": 1.0, "release": ["plasma"], "clamp": {}}
    assert "unknown key" in complaints(changed(protocol=[both]))["protocol.0.release"]


def test_one_membrane_is_clamped_with_one_carrier():
    clamps = [{"at": t, "clamp": {"plasma": {"potential": 0.0, "carrier": c}}} for t, c in ((1.0, "k"), (2.0, "na"))]
    assert "the same carrier" in complaints(changed(protocol=clamps))["protocol.1.clamp.plasma.carrier"]


def test_what_is_hardly_meant_is_a_warning():
    data = changed(compartments__far={"fixed": True, "concentrations": {"k": 1.0}}, **event(release=["plasma"]))
    problems = [w.problem for w in Scenario.model_validate(data).warnings]
    assert [p for p in problems if "`far`" in p or "`anion`" in p or "never clamped" in p] == problems
    assert len(problems) == 3


def test_a_bare_number_has_no_unit_in_text():
    found = complaints(CELL, text=True)
    assert found["run.duration"].startswith("`3600.0` has no unit")
    assert "compartments.bath.concentrations.k" in found


def test_differences_are_named_with_both_values_in_readable_units():
    a = Scenario.model_validate(CELL)
    b = Scenario.model_validate(changed(membranes__plasma__potential=-0.07, membranes__plasma__area=1e-9))
    assert differences(a, b) == [
        ("membranes.plasma.potential", "-60 mV", "-70 mV"),
        ("membranes.plasma.area", "-", "1000 um^2"),
    ]
    c = Scenario.model_validate(changed(membranes__plasma__potential=-0.06000000001))
    assert differences(a, c) == [("membranes.plasma.potential", "-0.06", "-0.06000000001")]


def test_the_schema_is_sound_and_accepts_the_shipped_scenarios(configs):
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in configs.rglob("*.yaml"):
        if not path.name.endswith(".expected.yaml"):
            assert [e.message for e in validator.iter_errors(read_plain(path))] == [], path


@pytest.mark.parametrize(
    ("key", "value"), [("temperature", 310), ("capacitence", "1 uF/cm^2"), ("protocol", {}), ("formulation", "x")]
)
def test_the_schema_refuses_what_the_reader_refuses(configs, key, value):
    data = read_plain(configs / "benchmark_cell.yaml")
    (data["membranes"]["plasma"] if key.startswith("cap") else data)[key] = value
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(data)


def test_every_key_of_the_schema_is_described():
    definitions = json_schema()["$defs"]
    properties = [
        (d, name, part) for d, body in definitions.items() for name, part in body.get("properties", {}).items()
    ]
    assert [(d, name) for d, name, part in properties if not part.get("description")] == []
