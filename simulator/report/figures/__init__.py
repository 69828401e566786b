"""Figures of saved runs; the only package that imports matplotlib.

Figures are not registered with ``pyplot``, so thousands can be made in one process.
"""

from simulator.report.figures.branches import plot_branches
from simulator.report.figures.comparison import plot_comparison
from simulator.report.figures.control import plot_control
from simulator.report.figures.files import FORMATS, refuse_suffix, save
from simulator.report.figures.sweep import batch_kinds, plot_batch, plot_batches
from simulator.report.figures.trajectory import kinds, plot_trajectory

__all__ = [
    "FORMATS",
    "batch_kinds",
    "kinds",
    "plot_batch",
    "plot_batches",
    "plot_branches",
    "plot_comparison",
    "plot_control",
    "plot_trajectory",
    "refuse_suffix",
    "save",
]
