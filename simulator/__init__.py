"""ionflux: simulate the ion fluxes of cells and judge how a run ends.

>>> import simulator
>>> cell = simulator.run(simulator.load_scenario("configs/leaky_bucket.yaml"))  # doctest: +SKIP
>>> simulator.classify(cell).word  # doctest: +SKIP
'steady_state'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.kernel.laws import add_laws as add_laws
    from simulator.report.comparison import compare as compare
    from simulator.runs.batch import Batch as Batch
    from simulator.runs.integrate import run as run
    from simulator.runs.threads import run_batch as run_batch
    from simulator.scenario.scenario import Scenario as Scenario
    from simulator.storage.start import load_scenario as load_scenario
    from simulator.storage.store import read as read
    from simulator.storage.store import write as write
    from simulator.trajectory.analysis import Analysis as Analysis
    from simulator.trajectory.trajectory import Trajectory as Trajectory
    from simulator.verdict.balancing import balance as balance
    from simulator.verdict.continuation import continuation as continuation
    from simulator.verdict.control import control as control
    from simulator.verdict.steady import steady_state as steady_state
    from simulator.verdict.verdict import Verdict as Verdict
    from simulator.verdict.verdict import classify as classify

#: Public names and the modules that define them, imported on first use so that commands start fast.
_HOMES = {
    "Analysis": "trajectory.analysis",
    "Batch": "runs.batch",
    "Scenario": "scenario.scenario",
    "Trajectory": "trajectory.trajectory",
    "Verdict": "verdict.verdict",
    "add_laws": "kernel.laws",
    "balance": "verdict.balancing",
    "classify": "verdict.verdict",
    "compare": "report.comparison",
    "continuation": "verdict.continuation",
    "control": "verdict.control",
    "load_scenario": "storage.start",
    "read": "storage.store",
    "run": "runs.integrate",
    "run_batch": "runs.threads",
    "steady_state": "verdict.steady",
    "write": "storage.store",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from simulator.trajectory.provenance import own_version

        return own_version()
    if name not in _HOMES:
        raise AttributeError(f"module 'simulator' has no attribute {name!r}")
    return getattr(import_module(f"simulator.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
