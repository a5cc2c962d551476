"""Spending: whoever is there says yes before a command costs more than little."""

import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

import typer

from trimtab.cli import output
from trimtab.control.numbers import usd
from trimtab.core import to_nano_usd
from trimtab.core.errors import ConfigurationError


class Bill(Protocol):
    """What asking one model costs at most."""

    @property
    def model(self) -> str:
        """Whom."""

    @property
    def cost_nano_usd(self) -> int | None:
        """``None`` when the price is unknown, which is not 0."""

    @property
    def is_own_machine(self) -> bool:
        """Whether it runs on an engine that Trimtab starts, which sends nobody a bill."""


def ask_to_spend(bills: Sequence[Bill], limit_usd: float, *, hint: str) -> None:
    """Stop where money would be spent that nobody agreed to.

    Args:
        bills: What will be asked.
        limit_usd: What needs no yes.
        hint: The options that say yes beforehand.

    Raises:
        ConfigurationError: nobody is there to say yes.
    """
    billed = [bill for bill in bills if not bill.is_own_machine]
    unknown = [bill.model for bill in billed if bill.cost_nano_usd is None]
    total = sum(bill.cost_nano_usd or 0 for bill in billed)
    if unknown:
        why = f"The price of {', '.join(unknown)} is unknown, so this may cost anything"
    elif total > to_nano_usd(Decimal(str(limit_usd))):
        why = f"This may cost {usd(total)}, more than the ${limit_usd:,.2f} that need no yes"
    else:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{why}.", hint=hint)
    output.note(f"{why}.")
    typer.confirm("Go on?", abort=True, err=True)
