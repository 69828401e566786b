"""Run ``ionflux`` as ``python -m simulator``."""

from simulator.cli import main

main()
