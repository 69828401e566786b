"""Compute the parts of a sweep on the workers of dask.distributed; only modules in here import it.

A worker gets the number of a part and an order of some hundred bytes. It reads the scenario from the manifest on the
shared disk, computes the part, writes its file, and returns a row. A worker whose numbers could differ is refused.
"""

from simulator.storage.cluster.crew import Crew
from simulator.storage.cluster.orders import Order
from simulator.storage.cluster.scheduler import Scheduler

__all__ = ["Crew", "Order", "Scheduler"]
