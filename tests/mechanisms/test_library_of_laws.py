"""Claims every mechanism of the library must meet; a new file in the library is tested by being there."""

import importlib.util
import itertools

import numpy as np
import pint
import pytest
import sympy as sp

from simulator.kernel.generate import KERNEL_HEADER, KernelSource
from simulator.kernel.linearisation import Linearisation
from simulator.kernel.row_functions import RowFunctions
from simulator.kernel.statements import numeric_form
from simulator.kernel.workspace import workspace
from simulator.mechanisms import Parameter, library
from simulator.model.equations import Equations
from simulator.model.names import ATP_ENERGY, amount, charge, concentration, parameter_name, voltage, volume
from simulator.model.structure import CompartmentStructure, Mechanism, MembraneStructure, Structure
from simulator.physics.constants import FARADAY, SPECIES_CHARGE
from simulator.physics.special import bern_slope, bern_value

UNITS = pint.UnitRegistry()
LAWS = sorted(library())
REVERSIBLE = [name for name in LAWS if library()[name].reversible]
CHOICES = {"ion": ("k", "ca", "cl"), "species": ("glucose", "k"), None: (None,)}
CASES = [(name, chosen) for name in LAWS for chosen in CHOICES[library()[name].chooses]]


def use_of(label: str, name: str, chosen: str | None) -> Mechanism:
    """A law in its place; partners are named after their key, and the complex after its ion too."""
    partners = tuple(f"{chosen}_complex" if key == "complex" else key for key in library()[name].partners)
    return Mechanism(label, name, chosen, partners)


def charge_number(species: str) -> int:
    """Charge of a species; a buffer is neutral here, a complex has the charge of its ion."""
    ion = species.removesuffix("_complex")
    return 0 if species == "buffer" else SPECIES_CHARGE[ion]


def structure(name: str, chosen: str | None) -> Structure:
    """One cell in a bath with a single mechanism on its membrane."""
    return structure_of([use_of("m", name, chosen)])


def structure_of(mechanisms: list[Mechanism]) -> Structure:
    """One cell in a bath with these mechanisms on its membrane."""
    species = tuple(dict.fromkeys(s for mechanism in mechanisms for s in mechanism.species))
    return Structure(
        "capacitive",
        tuple((s, charge_number(s)) for s in species),
        (
            CompartmentStructure("bath", "bath", "ground", species, ()),
            CompartmentStructure("cell", "given", "free", species, species),
        ),
        (MembraneStructure("plasma", "cell", "bath", "given", "fixed", tuple(mechanisms)),),
    )


def sample(parameter: Parameter, random: np.random.Generator) -> float:
    """A legal value of a parameter, of a size met in cells."""
    size = {"mol/m^3": 10.0, "V": 0.05, "m/s": 1e-8, "mol/m^2/s": 1e-7, "S/m^2": 1.0, "m^3": 4e-15}.get(
        parameter.unit, 1.0
    )
    return size * random.uniform(0.5, 2.0)


def surroundings(name: str, chosen: str | None, seed: int = 0) -> dict[str, float]:
    """Random concentrations, potential and parameters, by the names of the equations."""
    random = np.random.default_rng(seed)
    law = library()[name]
    numbers = {
        "rt_over_f": 0.0267,
        "FARADAY": FARADAY,
        ATP_ENERGY: -22.0 * 0.0267,
        voltage("plasma"): random.uniform(-0.1, 0.1),
    }
    numbers |= {volume("cell"): 4e-15, "area_plasma": 1.2e-9}
    for s in use_of("m", name, chosen).species:
        numbers[concentration("cell", s)] = random.uniform(1.0, 150.0)
        numbers[concentration("bath", s)] = random.uniform(1.0, 150.0)
    return numbers | {parameter_name("plasma", "m", p.name): sample(p, random) for p in law.parameters}


def value(expression: sp.Expr, numbers: dict[str, float]) -> float:
    """Numeric value through the same numeric forms that the kernel uses."""
    (numeric,) = numeric_form([sp.sympify(expression)])
    arguments = sorted(numeric.free_symbols, key=str)
    modules = [{"bern_value": bern_value, "bern_slope": bern_slope}, "numpy"]
    return float(sp.lambdify(arguments, numeric, modules)(*(numbers[a.name] for a in arguments)))


@pytest.mark.parametrize("name", LAWS)
def test_law_has_the_dimension_of_a_turnover(name):
    law = library()[name]
    chosen = CHOICES[law.chooses][0]
    given = {"v": -0.05 * UNITS.volt, "rt_over_f": 0.0267 * UNITS.volt, "faraday": FARADAY * UNITS.C / UNITS.mol}
    given["z"] = SPECIES_CHARGE[chosen] if chosen else None
    given |= {p.name: 1.3 * UNITS(p.unit) for p in law.parameters}
    given |= {"volume_i": 1.1 * UNITS("m^3"), "area": 1.7 * UNITS("m^2")}
    concentrations = {a for a in law.arguments if a not in given}
    given |= {a: 7.0 * UNITS("mol/m^3") for a in concentrations}
    turnover = law.rate(**{a: given[a] for a in law.arguments})
    assert turnover.to_base_units().units == UNITS("mol/m^2/s").to_base_units().units


@pytest.mark.parametrize("name", LAWS)
def test_declaration_tells_source_units_and_meaning(name):
    law = library()[name]
    assert law.name == name
    assert len(law.source) > 20
    assert all(p.unit and p.meaning for p in law.parameters)
    assert all(f"{s}_i" not in law.arguments or s in law.moves for s in SPECIES_CHARGE)


@pytest.mark.parametrize("name", LAWS)
def test_law_moves_no_charge_exactly_where_it_claims_so(name):
    law = library()[name]
    # Of the laws that take any species, one that ignores the voltage is only ever given neutral ones.
    blind = law.chooses == "species" and "v" not in law.arguments
    chosen = [c for c in CHOICES[law.chooses] if not (blind and SPECIES_CHARGE[str(c)])]
    net = [sum(n * charge_number(s) for s, n in use_of("m", name, c).moves.items()) for c in chosen]
    assert law.electroneutral == (not any(net))


@pytest.mark.parametrize(("name", "chosen"), [c for c in CASES if c[0] in REVERSIBLE])
def test_turnover_follows_the_affinity(name, chosen):
    turnover = Equations(structure(name, chosen)).turnovers["plasma", "m"]
    for seed in range(20):
        numbers = surroundings(name, chosen, seed)
        affinity, net = value(turnover.affinity, numbers), value(turnover.net, numbers)
        assert affinity * net >= 0.0
        ratio = value(turnover.backward, numbers) / value(turnover.forward, numbers)
        assert ratio == pytest.approx(np.exp(-affinity), rel=1e-10)
        assert net == pytest.approx(value(turnover.forward - turnover.backward, numbers), rel=1e-9)


@pytest.mark.parametrize(("name", "chosen"), [c for c in CASES if c[0] in REVERSIBLE])
def test_nothing_flows_at_its_own_equilibrium(name, chosen):
    turnover = Equations(structure(name, chosen)).turnovers["plasma", "m"]
    for seed in range(5):
        numbers = surroundings(name, chosen, seed)
        # Move one inside concentration to where the affinity vanishes.
        species, n = next(iter(turnover.stoichiometry.items()))
        numbers[concentration("cell", species)] *= np.exp(value(turnover.affinity, numbers) / n)
        scale = abs(value(turnover.forward, numbers))
        assert abs(value(turnover.affinity, numbers)) < 1e-12
        assert abs(value(turnover.net, numbers)) < 1e-12 * scale


@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_law_is_finite_and_smooth_at_zero_potential(name, chosen):
    turnover = Equations(structure(name, chosen)).turnovers["plasma", "m"]
    numbers = surroundings(name, chosen)
    at = [value(turnover.net, numbers | {voltage("plasma"): v}) for v in (-1e-9, 0.0, 1e-9)]
    assert np.all(np.isfinite(at))
    size = max(abs(a) for a in at)
    assert abs(at[1] - 0.5 * (at[0] + at[2])) <= 1e-9 * size


@pytest.mark.parametrize(("name", "chosen"), CASES)
def test_jacobian_agrees_with_high_precision_differences(name, chosen):
    equations = Equations(structure(name, chosen))
    arrays = {}
    exec(KernelSource(equations).arrays(), arrays)
    numbers = surroundings(name, chosen, 3)
    state = {"w_cell": 4e-15, "area_plasma": 1.2e-9, "capacitance_plasma": 0.01, "x_cell": 0.0, "x_bath": 0.0}
    state |= {amount("cell", s): numbers[concentration("cell", s)] * 4e-15 for s in equations.charges}
    state |= {charge("cell"): numbers[voltage("plasma")] * 1.2e-9 * 0.01}
    numbers = {k: v for k, v in numbers.items() if not k.startswith(("c_cell", "v_"))} | state
    definitions = {equations.symbol(k): v for k, v in equations.definitions.items()}
    bern = {f.func for e in equations.derivative.values() for f in e.atoms(sp.Function) if f.func.__name__ == "bern"}
    found = arrays["linearisation"](*(np.array([numbers[n] for n in arrays[of]]) for of in ("STATES", "PARAMETERS")))
    basis = [arrays["STATES"][i] for i in arrays["BASIS"]]
    for i, j in itertools.product(range(len(basis)), repeat=2):
        row, column = basis[i], basis[j]
        f = equations.derivative[row].subs(definitions)
        for b in bern:
            f = f.replace(b, lambda x, n: x / (sp.exp(x) - 1))
        direction = {column: 1} | {d: c[column] for d, c in equations.dependent.items() if column in c}
        exact = sum(sp.diff(f, equations.symbol(s)) * sp.sympify(c) for s, c in direction.items())
        high = exact.subs(
            {equations.symbol(k): sp.Float(v, 50) for k, v in numbers.items()}
            | {sp.Symbol("FARADAY", positive=True): sp.Float(FARADAY, 50)}
        )
        assert found.get((i, j), 0.0) == pytest.approx(float(high), rel=1e-9, abs=1e-300)


def compiled_rates(equations, path):
    """Compiled function from states and parameters to the rates of change of the independent states."""
    line = Linearisation(equations, set())
    inputs = [*equations.structure.states, *equations.structure.parameters]
    functions = RowFunctions({name: row for row, name in enumerate(inputs)}, len(inputs))
    kept = [f"d_{s}" for s in line.basis]
    first = functions.placed(kept)
    calls = functions.write("rates", line.rates(), kept, "Rates of change.")
    header = KERNEL_HEADER.partition("settle =")[0].format(count=0, membranes="", faraday=FARADAY)
    lines = [header, "LANES = TOGETHER = 8", *functions.source, "", "@nb.njit", "def all_rates(work):"]
    path.write_text("\n".join([*lines, *(f"    {call}" for call in calls)]) + "\n")
    spec = importlib.util.spec_from_file_location("compiled_rates", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def rates(numbers):
        work = workspace(functions.end, 8)
        work[: 8 * len(inputs)] = np.repeat(numbers, 8)
        module.all_rates(work)
        return work.reshape(-1, 8)[first : first + len(kept), 3]

    return rates


def test_array_functions_and_compiled_kernel_agree_on_every_law(tmp_path):
    """One kernel holds all laws; each is tried with the first parameter (its size) of all others at zero."""
    mechanisms = [use_of(name, name, CHOICES[library()[name].chooses][-1]) for name in LAWS]
    equations = Equations(structure_of(mechanisms))
    arrays = {}
    exec(KernelSource(equations).arrays(), arrays)
    compiled = compiled_rates(equations, tmp_path / "rates.py")
    random = np.random.default_rng(7)
    species = equations.charges
    sizes = {
        "rt_over_f": 0.0267,
        ATP_ENERGY: -22.0 * 0.0267,
        "w_cell": 4e-15,
        "area_plasma": 1.2e-9,
        "capacitance_plasma": 0.01,
    }
    sizes |= {concentration("bath", s): random.uniform(1.0, 150.0) for s in species} | {"x_cell": 0.0, "x_bath": 0.0}
    sizes |= {amount("cell", s): random.uniform(1.0, 150.0) * 4e-15 for s in species}
    sizes |= {charge("cell"): -0.07 * 1.2e-9 * 0.01}
    for name in LAWS:
        numbers = dict(sizes)
        for law in LAWS:
            first, *rest = (parameter for parameter in library()[law].parameters)
            numbers[parameter_name("plasma", law, first.name)] = sample(first, random) if law == name else 0.0
            numbers |= {parameter_name("plasma", law, p.name): sample(p, random) for p in rest}
        given = np.array([numbers[p] for p in arrays["PARAMETERS"]])
        state = np.array([numbers[s] for s in arrays["STATES"]])
        by_name = arrays["derivative"](state, given)
        assert any(by_name.values())
        scale = max(map(abs, by_name.values()))
        rates = compiled(np.concatenate([state, given]))
        assert rates == pytest.approx(np.array([*by_name.values()]), rel=1e-12, abs=1e-13 * scale)


@pytest.mark.parametrize("name", [n for n in REVERSIBLE if not library()[n].takes_logarithm])
def test_a_species_that_is_absent_on_one_side_leaves_the_rates_finite(name):
    chosen = CHOICES[library()[name].chooses][0]
    turnover = Equations(structure(name, chosen)).turnovers["plasma", "m"]
    for s in turnover.stoichiometry:
        for side in ("cell", "bath"):
            empty = surroundings(name, chosen) | {concentration(side, s): 0.0}
            assert np.isfinite(value(turnover.net, empty))


def test_registry_finds_a_planted_sign_error(monkeypatch):
    """The walk above is worth something: a leak whose forward rate ignores the voltage's sign is caught."""
    law = library()["leak_ghk"]
    wrong = type(law)(
        **{f: getattr(law, f) for f in ("title", "parameters", "moves", "reversible", "source", "chooses", "atp")},
        rate=lambda permeability, c_i, c_o: permeability * (c_o - c_i),
    )
    monkeypatch.setitem(library(), "leak_ghk", wrong)
    turnover = Equations(structure("leak_ghk", "k")).turnovers["plasma", "m"]
    signs = [
        value(turnover.affinity, surroundings("leak_ghk", "k", seed))
        * value(turnover.net, surroundings("leak_ghk", "k", seed))
        for seed in range(20)
    ]
    assert min(signs) < 0.0
