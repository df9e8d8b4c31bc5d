"""How long networks are trained: as their recipe says, or all of them by one rule, until validation stops improving."""

from __future__ import annotations

from dataclasses import replace

from bench.detector import Detector, Plateau, Schedule

#: Part of the key of a fit that is trained to the plateau; to be increased if the rule changes.
VERSION = 1
#: Most epochs of the budget ``plateau``.
MOST = 200
#: Epochs in a row that may pass without a lower validation loss.
PATIENCE = 10
#: The smallest fall of the validation loss, in nats, that counts.
GAIN = 1e-3


def scheduled(detector: Detector) -> Schedule:
    """A detector's schedule under its budget.

    ``recipe`` is the method's own schedule. Under ``plateau`` its optimiser and first learning rate stay. The rate is
    constant, training ends after :data:`PATIENCE` epochs without a lower validation loss, and the epoch with the lowest
    one is kept.
    """
    schedule = detector.schedule()
    if detector.budget == "recipe":
        return schedule
    rule = Plateau(PATIENCE, (GAIN, GAIN), 0.0, schedule.lr / 2, measure="loss")
    return replace(schedule, epochs=MOST, plateau=rule, cosine=None, step_size=None, keep_best=False)
