"""The simulated queue of a scheduler, in the cases that have a closed form."""

import pytest

from benchmarks.scheduler_load import simulated


def test_one_worker_waits_for_the_scheduler_and_each_task():
    load = simulated(1, 50, 2.0, handling_seconds=0.2, spread=0.0)
    assert load.seconds == pytest.approx(50 * (2.0 + 0.2))
    assert load.working == pytest.approx(2.0 / 2.2)
    assert load.waiting == pytest.approx(0.2)


def test_with_many_workers_the_scheduler_alone_takes_the_time():
    """A thousand workers with tasks of 0.1 s ask for 10,000 tasks a second; the scheduler manages 500."""
    load = simulated(1000, 20_000, 0.1, handling_seconds=2e-3)
    assert load.seconds == pytest.approx(20_000 * 2e-3, rel=0.01)
    assert load.handling == pytest.approx(1.0, rel=0.01)
    assert load.working == pytest.approx(0.1 / (1000 * 2e-3), rel=0.02)


def test_long_tasks_leave_the_scheduler_idle():
    """A task a hundred times as long as the scheduler needs for all workers."""
    load = simulated(100, 10_000, 20.0, handling_seconds=2e-3)
    assert load.working > 0.98
    assert load.handling == pytest.approx(100 * 2e-3 / 20.0, rel=0.02)


def test_a_task_waits_longer_the_slower_the_scheduler():
    waits = [simulated(100, 2000, 1.0, handling_seconds=s).waiting for s in (1e-4, 1e-3, 1e-2)]
    assert waits == sorted(waits)
