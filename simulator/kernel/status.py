"""How a run can end. The kernel never raises: it writes one of these codes, a time and a state."""

from enum import IntEnum


class Status(IntEnum):
    """Codes of the contract, in the order in which data files store them."""

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
        """The status as files and tables spell it."""
        return self.name.lower()

    @property
    def sentence(self) -> str:
        """What happened, for a person."""
        return SENTENCES[self]


#: The words by their codes in data files.
STATUSES = tuple(status.word for status in Status)

SENTENCES = {
    Status.OK: "finished",
    Status.MAX_STEPS: "gave up: the step limit between events (run.max_steps) was reached",
    Status.STEP_TOO_SMALL: "gave up: the error tolerance needs steps smaller than time can resolve",
    Status.NONFINITE: "a rate became infinite or undefined",
    Status.NEGATIVE_AMOUNT: "an amount would become negative",
    Status.VOLUME_COLLAPSED: "a volume would shrink to nothing",
    Status.CONSERVATION_VIOLATED: "charge or mass was not conserved",
    Status.CANCELLED: "stopped by the user",
}
