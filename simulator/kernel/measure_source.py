"""Measures -> statements: what a step adds to each measure in all lanes, and where the driver has to look at a step.

A step is looked at where something may happen in it: a peak that is not at one of its ends, or a crossing. Then, and in
the other steps that are the driver's, the quantity is computed at all points that :mod:`simulator.kernel.measuring`
works with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simulator.kernel.linearisation import Linearisation
from simulator.kernel.measuring import POINTS
from simulator.kernel.row_functions import NAME, just_in_time, renamed
from simulator.model.quantities import quantity
from simulator.model.structure import Structure

#: Least gain of a peak that a step is looked at for, relative to the peak and to the relative tolerance.
WORTH = 1.0e-3

#: Quantities that are linear in the states, nearly so if a volume changes: cheap to compute at every point.
LINEAR = ("potential", "concentration", "amount", "volume", "charge", "compartment_potential", "open_fraction")


def points_of(kind: str, name: str) -> tuple[int, ...]:
    """Places among the points of a step of those that a kind of measure of a quantity needs in all lanes."""
    every = kind == "mean" or (kind in ("peak", "trough") and name.partition(".")[0] in LINEAR)
    return tuple(range(len(POINTS))) if every else () if kind == "value" else (0, 2, 4)


class MeasureSource:
    """Writer of the statements for a structure's measures.

    Names: ``q<i>_<point>`` a quantity at a point of the step, ``at<point>_`` what it is computed from, ``on_<i>``,
    ``level_<i>`` and ``found_<i>`` the rows of a measure, ``look`` whether the driver has to look at the step.
    """

    def __init__(self, structure: Structure, linearisation: Linearisation) -> None:
        self.states, self.measures = structure.states, structure.measures
        self.quantities = list(dict.fromkeys(name for _, name in self.measures))
        equations = linearisation.equations
        self.named = {f"q{i}": quantity(equations, name) for i, name in enumerate(self.quantities)}
        self.plain = linearisation.statements.of([self.named]) if self.named else []

    def values(self) -> list[str]:
        """Statements for all quantities at all points of the step."""
        every: dict[str, Iterable[int]] = {name: range(len(POINTS)) for name in self.named}
        return self._at_points(every, [])

    def value_names(self) -> list[str]:
        """Names of what these statements compute."""
        return [f"{name}_{point}" for name in self.named for point in range(len(POINTS))]

    def looked(self) -> list[str]:
        """Statements for what the measures come to in a step, and for ``look``."""
        points: dict[str, Iterable[int]] = {}
        for kind, name in self.measures:
            own = f"q{self.quantities.index(name)}"
            wanted = points_of(kind, name)
            points[own] = sorted({*points.get(own, ()), *wanted})
        looks = " + ".join(f"look_{i}" for i in range(len(self.measures))) or "0.0"
        return self._at_points(points, [*self._measured(), f"look = {looks}"])

    def kept(self) -> list[str]:
        """Statements that keep the new numbers of the measures where the step is accepted."""
        return [
            f"found_{i} = choose(lane_accepted, grown_{i}, found_{i})"
            for i, (kind, _) in enumerate(self.measures)
            if kind in ("peak", "trough", "mean")
        ]

    def _at_points(self, points: dict[str, Iterable[int]], demand: list[str]) -> list[str]:
        """Statements for quantities at points of the step, then those that need them."""
        supply: list[str] = []
        wanted: list[str] = []
        for point, theta in enumerate(POINTS):
            supply += self._states_at(point, theta)
            new = {name: f"at{point}_{name}" for line in self.plain for name in NAME.findall(line.partition(" = ")[0])}
            new |= {s: f"at{point}_{s}" for s in self.states} | {name: f"{name}_{point}" for name in self.named}
            own = {new[name] for name, chosen in points.items() if point in chosen}
            for line in renamed(self.plain, lambda name, new=new: new.get(name, name)):  # type: ignore[misc]
                (wanted if line.partition(" = ")[0] in own else supply).append(line)
        return just_in_time(supply, [*wanted, *demand])

    def _states_at(self, point: int, theta: float) -> list[str]:
        """Statements for the states at a part of the step, as in the dense output."""
        if theta in (0.0, 1.0):
            return [f"at{point}_{s} = {'new_' if theta else ''}{s}" for s in self.states]
        weight, left = theta * (1.0 - theta), 1.0 - theta
        return [
            f"at{point}_{s} = {left!r} * {s} + {theta!r} * new_{s} + {weight!r} * "
            f"(dense0_{s} + {theta!r} * (dense1_{s} + {theta!r} * dense2_{s}))"
            for s in self.states
        ]

    def _measured(self) -> list[str]:
        """Statements for each measure: its new number, and whether the driver has to look at the step."""
        lines = []
        for i, (kind, name) in enumerate(self.measures):
            q0, q1, q2, q3, q4 = (f"q{self.quantities.index(name)}_{point}" for point in range(len(POINTS)))
            if kind == "mean":
                rule = f"7.0 * ({q0} + {q4}) + 32.0 * ({q1} + {q3}) + 12.0 * {q2}"
                lines += [
                    f"grown_{i} = choose(on_{i}, found_{i} + lane_step * (({rule}) * {1.0 / 90.0!r}), found_{i})",
                    f"look_{i} = 0.0",
                ]
            elif kind == "value":
                lines.append(f"look_{i} = 0.0")
            elif kind in ("peak", "trough"):
                lines += self._extreme(
                    i, kind, [f"q{self.quantities.index(name)}_{point}" for point in points_of(kind, name)]
                )
            else:
                lines += self._crossing(i, q0, q2, q4)
        return lines

    def _extreme(self, i: int, kind: str, points: Sequence[str]) -> list[str]:
        """Statements for a peak or trough.

        One lies within the step where a value within is beyond both ends, or where the parabola through the three
        values next to an end turns back before it. ``inside`` is above 0 in these cases.
        """
        best, sign = ("larger", "") if kind == "peak" else ("smaller", "-")
        inner = points[1]
        for point in points[2:-1]:
            inner = f"{best}({inner}, {point})"
        lines = [f"ends_{i} = {best}({points[0]}, {points[-1]})", f"inner_{i} = {inner}"]
        for side, (near, next_one, third) in (("early", points[:3]), ("late", points[:-4:-1])):
            back = f"4.0 * {next_one} - 3.0 * {near} - {third}"
            lines.append(f"{side}_{i} = smaller({sign}({near} - {next_one}), {sign}({back}))")
            lines.append(f"{side}_bend_{i} = abs({near} - 2.0 * {next_one} + {third})")
        return [
            *lines,
            f"inside_{i} = larger({sign}(inner_{i} - ends_{i}), larger(early_{i}, late_{i}))",
            f"gain_{i} = {sign}({best}(ends_{i}, inner_{i}) - found_{i}) + larger(early_bend_{i}, late_bend_{i})",
            f"worth_{i} = choose(gain_{i} - {WORTH!r} * lane_rtol * abs(found_{i}), on_{i}, 0.0)",
            f"look_{i} = choose(inside_{i}, worth_{i}, 0.0)",
            f"grown_{i} = choose(on_{i}, {best}(ends_{i}, found_{i}), found_{i})",
        ]

    def _crossing(self, i: int, q0: str, q2: str, q4: str) -> list[str]:
        """Statements for a crossing: the level lies between the lowest and the highest value that there may be."""
        return [
            f"bend_{i} = abs({q0} - 2.0 * {q2} + {q4})",
            f"lowest_{i} = smaller(smaller({q0}, {q2}), {q4}) - bend_{i}",
            f"highest_{i} = larger(larger({q0}, {q2}), {q4}) + bend_{i}",
            f"reached_{i} = choose(level_{i} - highest_{i}, 0.0, on_{i})",
            f"look_{i} = choose(level_{i} - lowest_{i}, reached_{i}, 0.0)",
        ]
