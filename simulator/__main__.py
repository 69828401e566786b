"""``python -m simulator`` is ``ionflux``."""

from simulator.cli import main

main()
