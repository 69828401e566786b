"""Whether a step stands, and how long the next one is: from its error, and from what it has to land on.

Without branches, for the step of all lanes at once; the driver calls the same functions for a single lane.
"""

from simulator.kernel.rodas4 import ERROR_ORDER
from simulator.kernel.vectormath import choose, exp, inlined, larger, log, smaller
from simulator.kernel.workspace import STEPPING

#: Factor by which a step may grow at once.
LARGEST_GROWTH = 8.0

#: Part of the step at which the error would just pass that is dared.
SAFETY = 0.9

_EXPONENT = -0.5 / ERROR_ORDER


@inlined
def misfit(error, new, old, rtol, scale):
    """Square of a state's error in units of what is allowed."""
    part = error / (larger(abs(old), abs(new)) * rtol + scale)
    return part * part


@inlined
def suggest(step, error):
    """Step at which the error, given as the mean of the squares, would be what is allowed."""
    return step * smaller(LARGEST_GROWTH, SAFETY * exp(_EXPONENT * log(error + 1e-30)))


@inlined
def plan(step, suggested, planned, rejected):
    """Next step after an accepted one: not longer just after a rejection.

    A step cut short to land somewhere says nothing against the longer one that was planned.
    """
    kept = larger(suggested, planned) if step < planned else suggested
    return smaller(step, suggested) if rejected > 0.0 else kept


@inlined
def aim(planned, left):
    """Next step, shortened so that it lands on what is so far away, without a last one that is tiny."""
    halved = 0.5 * left if planned > 0.5 * left else planned
    return left if planned >= left else halved


@inlined
def go_on(step, error, lowest, phase, time, due, target, planned, rejected, attempts, max_steps):
    """What the step just attempted leads to, if it stands and passes nothing; else the driver decides.

    Returns
    -------
    good : float
        1 if the step may stand: its error is allowed and nothing has run out, else 0.
    suggested : float
        Step that the error suggests.
    accepted : float
        1 if the lane just goes on, else 0; then the rest is as it was, but for the attempts.
    attempts, time, planned, rejected, step : float
        For the next attempt.
    """
    passed = 1.0 if error <= 1.0 else 0.0
    good = passed if lowest >= 0.0 else 0.0
    suggested = suggest(step, error)
    stepping = 1.0 if phase == STEPPING else 0.0
    attempts = attempts + stepping
    reached = time + step
    plain = stepping * good if reached < due else 0.0
    accepted = plain if attempts < max_steps else 0.0
    longer = plan(step, suggested, planned, rejected)
    return (
        good,
        suggested,
        accepted,
        attempts,
        choose(accepted, reached, time),
        choose(accepted, longer, planned),
        choose(accepted, 0.0, rejected),
        choose(accepted, aim(longer, target - reached), step),
    )
