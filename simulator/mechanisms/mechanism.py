"""A law on a membrane under its label, without its parameter values."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.mechanisms import Law
from simulator.mechanisms.channel import ChannelForm
from simulator.mechanisms.custom_law import CustomForm
from simulator.mechanisms.outside import law_of

__all__ = ["Mechanism"]


@dataclass(frozen=True)
class Mechanism:
    """A law on a membrane, with the species it is applied to.

    Parameters
    ----------
    label : str
        Its name on the membrane.
    law_name : str
        Name of its law.
    chosen : str or None
        Species the scenario chose for the law.
    partners : tuple of str
        Further species it chose.
    form : ChannelForm or CustomForm, optional
        Form that defines the law, if it is not in the library.
    entry : str
        Label of its entry in the scenario; empty if it is `label`. An entry for a channel of several ions
        makes several mechanisms.
    digest : str
        Digest of the law's source if it is from outside the package; empty otherwise.
    """

    label: str
    law_name: str
    chosen: str | None
    partners: tuple[str, ...] = ()
    form: ChannelForm | CustomForm | None = None
    entry: str = ""
    digest: str = ""

    @property
    def law(self) -> Law:
        """The law."""
        return law_of(self.law_name, self.digest) if self.form is None else self.form.law

    @property
    def owner(self) -> str:
        """Label of the scenario's entry with its parameters and gates."""
        return self.entry or self.label

    @property
    def moves(self) -> dict[str, int]:
        """Molecules of each species that enter the inside per turnover."""
        return self.law.stoichiometry(self.chosen, self.partners)

    @property
    def moves_outside(self) -> dict[str, int]:
        """Molecules of each species that enter the outside per turnover."""
        return self.law.outside_stoichiometry(self.chosen, self.partners)

    @property
    def species(self) -> tuple[str, ...]:
        """Every species it moves, on either side."""
        return tuple(dict.fromkeys([*self.moves, *self.moves_outside]))

    @property
    def conserves_species(self) -> bool:
        """Whether everything that enters one side leaves the other."""
        return self.moves_outside == {s: -n for s, n in self.moves.items()}
