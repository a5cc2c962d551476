"""The policy in force: check a file, put it in force, go back, and say what would change.

A policy that fails a check is refused whole and the one in force goes on serving.
"""

import re
from dataclasses import dataclass

from trimtab.catalog import Pool
from trimtab.core import Clock, to_datetime
from trimtab.core.errors import InvalidRequest, NotFound, PolicyInvalid
from trimtab.policy import (
    Finding,
    Policy,
    TestOutcome,
    lint_policy,
    load_policy,
    policy_from_canonical,
    run_policy_tests,
)
from trimtab.store import AuditLog, PolicyStore, PolicyVersion

_VERSION = re.compile(r"[0-9a-f]{4,64}")
"""A version or the beginning of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCheck:
    """What is right and wrong with a policy."""

    name: str
    version: str
    findings: tuple[Finding, ...]
    tests: tuple[TestOutcome, ...]

    @property
    def problems(self) -> list[str]:
        """What keeps it from being put in force, one line each."""
        lines = [f"{finding.where}: {finding.message}" for finding in self.findings if finding.is_error]
        return lines + [f"{test.where}: test {test.name!r}: {test.message}" for test in self.tests if not test.passed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A change of the policy in force."""

    name: str
    version: str
    previous: str | None
    is_new: bool
    """False when this version was in force already."""


def policy_in_force(store: PolicyStore) -> Policy | None:
    """Return the stored policy in force, compiled, or ``None``."""
    current = store.current()
    return None if current is None else policy_from_canonical(current.canonical.encode())


class PolicyDesk:
    """Everything that is done to the policy in force. Each change is one audit record.

    Args:
        store: Versions and the pointer.
        audit: The chained log.
        pool: The models that policies may name.
        clock: Dates the changes and the pins' reviews.
    """

    def __init__(self, store: PolicyStore, audit: AuditLog, pool: Pool, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._pool = pool
        self._clock = clock

    def check(self, text: str, *, origin: str) -> PolicyCheck:
        """Lint a policy and run its own tests.

        Raises:
            PolicyInvalid: it cannot be read at all; the message has line and reason.
        """
        return self._checked(load_policy(text, origin=origin))

    def apply(self, text: str, *, origin: str, actor: str) -> Applied:
        """Put a policy in force.

        Raises:
            PolicyInvalid: it cannot be read, lint found an error, or one of its tests failed.
        """
        policy = load_policy(text, origin=origin)
        self._refuse_unless_sound(policy, hint=f"`trimtab policy lint {origin}` lists all; nothing was changed.")
        return self._point_to(policy, text=text, origin=origin, actor=actor, action="policy.apply")

    def rollback(self, *, actor: str, version: str | None = None) -> Applied:
        """Put an earlier version in force again: the given one, or the one before the current.

        Raises:
            NotFound: there is no such version, or nothing to go back to.
            PolicyInvalid: it no longer fits the pool, or one of its tests fails there.
        """
        chosen = self._earlier() if version is None else self._find(version)
        policy = policy_from_canonical(chosen.canonical.encode())
        self._refuse_unless_sound(policy, hint="That version does not fit today's models; nothing was changed.")
        return self._point_to(policy, text=chosen.source, origin=chosen.origin, actor=actor, action="policy.rollback")

    def has_applied(self, text: str, *, actor: str) -> bool:
        """Return whether this text is what the actor applied last.

        Applying it once more would change nothing, or undo a rollback that somebody made since.
        """
        last = next((move for move in self.versions() if move.actor == actor), None)
        return last is not None and last.source == text

    def current(self) -> PolicyVersion | None:
        """Return the version in force, or ``None`` when none ever was."""
        return self._store.current()

    def versions(self) -> list[PolicyVersion]:
        """Return every time a version was put in force, the newest first."""
        return self._store.history()

    def in_force(self) -> Policy | None:
        """Return the policy in force, compiled, or ``None``."""
        return policy_in_force(self._store)

    def _checked(self, policy: Policy) -> PolicyCheck:
        today = to_datetime(self._clock.now_us()).date()
        return PolicyCheck(
            name=policy.name,
            version=policy.version,
            findings=tuple(lint_policy(policy, self._pool, today=today)),
            tests=tuple(run_policy_tests(policy, self._pool)),
        )

    def _refuse_unless_sound(self, policy: Policy, *, hint: str) -> None:
        problems = self._checked(policy).problems
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise PolicyInvalid(f"{problems[0]}{more}", hint=hint)

    def _point_to(self, policy: Policy, *, text: str, origin: str, actor: str, action: str) -> Applied:
        previous = self._store.put_in_force(
            version=policy.version,
            name=policy.name,
            canonical=policy.canonical_json.decode(),
            source=text,
            origin=origin,
            actor=actor,
            action=action,
            audit=self._audit,
        )
        return Applied(name=policy.name, version=policy.version, previous=previous, is_new=previous != policy.version)

    def _earlier(self) -> PolicyVersion:
        """Return the newest version in the history that is another one than the current."""
        history = self.versions()
        for row in history:
            if row.version != history[0].version:
                return row
        raise NotFound("There is no earlier policy to go back to.", hint="`trimtab policy list` shows every version.")

    def _find(self, version: str) -> PolicyVersion:
        found = self._store.find(version) if _VERSION.fullmatch(version) else []
        if len({row.version for row in found}) > 1:
            raise InvalidRequest(
                f"{len(found)} policy versions begin with {version!r}.", hint="Give more of its digits."
            )
        if not found:
            raise NotFound(
                f"There is no policy version {version[:64]!r}.", hint="`trimtab policy list` shows every version."
            )
        return found[0]
