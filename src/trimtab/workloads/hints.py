"""What is known of a call beside its body."""

from collections.abc import Callable

import msgspec


class CallHints(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, and what they and the configuration say about the call."""

    app: str
    workload: str | None = None
    """The workload the caller names in ``x-trimtab-workload``."""
    sensitivity: int | None = None
    """The call's own label; it can raise what others say and never lower it."""
    app_sensitivity: int | None = None
    """The label of the application's key."""
    policy_sensitivity: Callable[[str], int | None]
    """Gives the label that policy declares for a workload of this application."""
    conversation: str | None = None
    """The conversation the caller names in ``x-trimtab-conversation``."""
