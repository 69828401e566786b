"""Accept or reject a step and choose the size of the next one, from its error and the next event.

Written without branches for all lanes at once; the driver calls the same functions for a single lane.
"""

from simulator.kernel.rodas5p import ERROR_ORDER
from simulator.kernel.vectormath import choose, exp, inlined, larger, log, smaller
from simulator.kernel.workspace import STEPPING

#: Largest factor between successive steps.
LARGEST_GROWTH = 20.0

#: Safety factor on the step at which the error would just be accepted.
SAFETY = 0.9

_EXPONENT = -0.5 / ERROR_ORDER


@inlined
def misfit(error, new, old, rtol, scale):
    """Square of a state's error relative to its tolerance."""
    part = error / (larger(abs(old), abs(new)) * rtol + scale)
    return part * part


@inlined
def suggest(step, error):
    """Step expected to meet the tolerance, with safety factor and bounded growth; `error` is a mean of squares."""
    return step * smaller(LARGEST_GROWTH, SAFETY * exp(_EXPONENT * log(error + 1e-30)))


@inlined
def plan(step, suggested, planned, rejected):
    """Next step after an accepted one; it does not grow right after a rejection.

    After a step shortened to land on a target, the longer planned step is kept.
    """
    kept = larger(suggested, planned) if step < planned else suggested
    return smaller(step, suggested) if rejected > 0.0 else kept


@inlined
def aim(planned, left):
    """Next step, shortened to land on a target at distance `left`, or halved to avoid a tiny last step."""
    halved = 0.5 * left if planned > 0.5 * left else planned
    return left if planned >= left else halved


@inlined
def count_and_accept(step, error, lowest, phase, time, due, target, planned, longest, rejected, attempts, most, look):
    """Accept the step just attempted if it is good and nothing is due within it; otherwise leave it to the driver.

    Returns
    -------
    good : float
        1 if the error is within tolerance and no amount or volume has run out, else 0.
    suggested : float
        Step suggested by the error.
    accepted : float
        1 if the step is accepted here, else 0; then the values below are unchanged, except `attempts`.
    attempts, time, planned, rejected, step : float
        Values for the next attempt.
    """
    passed = 1.0 if error <= 1.0 else 0.0
    good = passed if lowest >= 0.0 else 0.0
    suggested = suggest(step, error)
    stepping = 1.0 if phase == STEPPING else 0.0
    attempts = attempts + stepping
    reached = time + step
    plain = stepping * good if reached < due else 0.0
    seen = plain if look <= 0.0 else 0.0
    accepted = seen if attempts < most else 0.0
    longer = smaller(plan(step, suggested, planned, rejected), longest)
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
