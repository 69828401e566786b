"""Status codes of a run's end. The kernel never raises; it writes a code, a time and a state."""

from enum import IntEnum


class Status(IntEnum):
    """Status codes, as stored in data files."""

    OK = 0
    MAX_STEPS = 1
    STEP_TOO_SMALL = 2
    NONFINITE = 3
    NEGATIVE_AMOUNT = 4
    VOLUME_COLLAPSED = 5
    CONSERVATION_VIOLATED = 6
    CANCELLED = 7

    @property
    def word(self) -> str:
        """The status as written in files and tables."""
        return self.name.lower()

    @property
    def sentence(self) -> str:
        """Description of the status for the user."""
        return SENTENCES[self]


#: Words of the statuses, indexed by code.
STATUSES = tuple(status.word for status in Status)

SENTENCES = {
    Status.OK: "finished",
    Status.MAX_STEPS: "gave up: the step limit between events (run.max_steps) was reached",
    Status.STEP_TOO_SMALL: "gave up: the error tolerance needs steps smaller than time can resolve",
    Status.NONFINITE: "a rate became infinite or undefined",
    Status.NEGATIVE_AMOUNT: "an amount would become negative",
    Status.VOLUME_COLLAPSED: "a volume would shrink to zero",
    Status.CONSERVATION_VIOLATED: "charge or mass was not conserved",
    Status.CANCELLED: "stopped by the user, or given up because it ended every process that computed it",
}
