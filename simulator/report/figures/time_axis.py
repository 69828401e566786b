"""Horizontal axes: times from microseconds to days, the part of a run worth drawing, and potentials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, MaxNLocator, MultipleLocator

from simulator.physics.notation import Scale, duration, time_scale

#: Steps between ticks for minutes, hours and days; other units use 1, 2, 5.
TIME_STEPS = {
    "min": (0.5, 1, 2, 5, 10, 15, 30, 60),
    "h": (0.25, 0.5, 1, 2, 3, 4, 6, 12, 24, 48),
    "d": (0.5, 1, 2, 5, 7, 10, 14, 28, 50, 100),
}

#: Smallest visible change, as a share of a curve's whole change.
VISIBLE = 0.02


@dataclass(frozen=True)
class TimeAxis:
    """Times of a panel and how they are shown.

    Parameters
    ----------
    times : ndarray
        Saved times [s].
    until : float
        Last time shown [s]; the axis label calls later times unchanged.
    logarithmic : bool
        Whether the axis is logarithmic; t = 0 is then left out.
    """

    times: np.ndarray
    until: float = np.inf
    logarithmic: bool = False

    @property
    def shown(self) -> np.ndarray:
        """Mask of the saved times that are drawn."""
        return np.asarray((self.times <= self.until) & ((self.times > 0.0) | (not self.logarithmic)))

    @property
    def scale(self) -> Scale:
        """The unit of the axis."""
        return time_scale(float(np.max(self.times[self.shown], initial=0.0)))

    def values(self) -> np.ndarray:
        """Times drawn, in that unit."""
        return np.asarray(self.times[self.shown] / self.scale.size)

    def apply(self, axes: Axes) -> None:
        """Set up the horizontal axis."""
        times = self.values()
        if self.logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(LogFormatterSciNotation())
        if len(times) > 1:
            axes.set_xlim(times[0], times[-1])
        elif len(times) == 1:
            width = abs(times[0]) or 1.0
            axes.set_xlim(times[0] - 0.5 * width, times[0] + 0.5 * width)
        if not self.logarithmic:
            axes.xaxis.set_major_locator(self._locator())
        rest = "" if np.all(self.times <= self.until) else f", then unchanged to {duration(float(self.times[-1]))}"
        axes.set_xlabel(f"Time ({self.scale.symbol}){rest}")

    def _locator(self) -> MaxNLocator | MultipleLocator:
        times = self.values()
        span = float(times[-1] - times[0]) if len(times) else 0.0
        fitting = [step for step in TIME_STEPS.get(self.scale.text, ()) if 2.0 <= span / step <= 6.5]
        return MultipleLocator(fitting[0]) if fitting else MaxNLocator(6, steps=[1, 2, 5, 10])


@dataclass(frozen=True)
class PotentialAxis:
    """Potentials [V] of a panel of current-voltage curves, used like :class:`TimeAxis`."""

    potentials: np.ndarray

    @property
    def shown(self) -> np.ndarray:
        """Mask of the potentials that are drawn: all."""
        return np.ones(len(self.potentials), dtype=bool)

    def values(self) -> np.ndarray:
        """Potentials in millivolts."""
        return 1e3 * self.potentials

    def apply(self, axes: Axes) -> None:
        """Set up the horizontal axis."""
        axes.set_xlim(*self.values()[[0, -1]])
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.set_xlabel("Membrane potential (mV)")


Axis = TimeAxis | PotentialAxis


def settled(times: np.ndarray, series: Sequence[np.ndarray]) -> float:
    """End of the time range worth drawing [s]: three times the time of the last visible change.

    Parameters
    ----------
    times : ndarray
        Saved times [s].
    series : sequence of ndarray
        Curves to draw, each over those times.

    Returns
    -------
    float
        A saved time; the last one unless nothing visibly changes for most of the run.
    """
    last_change = 0
    for values in series:
        finite = np.where(np.isfinite(values), values, np.nan)
        if len(times) < 3 or np.all(np.isnan(finite)):
            continue
        seen = VISIBLE * max(float(np.nanmax(finite) - np.nanmin(finite)), 1.0e-3 * float(np.nanmax(np.abs(finite))))
        moving = np.flatnonzero(~(np.abs(finite - finite[-1]) <= seen))
        last_change = max(last_change, int(moving[-1]) + 1 if len(moving) else 0)
    end = 3.0 * float(times[last_change]) if len(times) else 0.0
    if last_change == 0 or end > 0.5 * times[-1]:
        return float(times[-1]) if len(times) else 0.0
    return float(times[np.searchsorted(times, _round_up(end)).clip(0, len(times) - 1)])


def _round_up(seconds: float) -> float:
    """Round a time up to a good end of an axis."""
    size = time_scale(seconds).size
    amount = seconds / size
    power = 10.0 ** np.floor(np.log10(amount))
    return float(
        size
        * power
        * next(step for step in (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0) if amount <= step * power * 1.0001)
    )
