"""From text to a policy in working order, or to an error that names the line."""

import hashlib

import msgspec
from pydantic import ValidationError

from trimtab.catalog import Pool
from trimtab.core.errors import PolicyInvalid
from trimtab.policy import folding
from trimtab.policy.constraints import Constraints, Facts
from trimtab.policy.document import Document, when_of
from trimtab.policy.problems import invalid, refused
from trimtab.policy.resolving import BoundPolicy, Compiled
from trimtab.policy.scopes import CompiledRule, rule_of, scope_of
from trimtab.policy.yaml_source import Plain, SourceLines, read_yaml

_RESERVED = frozenset({"organisation"})


class Policy:
    """A checked, compiled policy. Immutable; safe to share between threads.

    Build one with :func:`load_policy` or :func:`policy_from_canonical`.
    """

    def __init__(self, document: Document, compiled: Compiled, *, source: str, lines: SourceLines) -> None:
        self.document = document
        self.compiled = compiled
        self.source = source
        """The text it was read from, comments included."""
        self.lines = lines
        self.canonical_json = canonical_json(document)
        """Sorted keys, no white space, defaults left out: the same bytes for the same policy."""
        self.version = hashlib.sha256(self.canonical_json).hexdigest()
        self._bound: tuple[Pool, BoundPolicy] | None = None
        self._labels: dict[tuple[str, str], int | None] = {}

    @property
    def name(self) -> str:
        """What the file calls it."""
        return self.document.policy

    def __repr__(self) -> str:
        return f"Policy({self.name!r}, version={self.version[:12]!r})"

    def resolve(self, facts: Facts, pool: Pool) -> Constraints:
        """Return the policy's word on one call.

        A pure function of the policy, the facts and the pool. An empty ``allowed`` is a valid answer: the removals say
        who took whom out.
        """
        bound = self._bound
        if bound is None or bound[0] is not pool:
            bound = (pool, BoundPolicy(self.compiled, pool, name=self.name, version=self.version))
            self._bound = bound
        return bound[1].resolve(facts)

    def label_for(self, app: str, workload: str) -> int | None:
        """Return the strictest sensitivity that the organisation, the app or the workload declares, or ``None``."""
        compiled = self.compiled
        key = (app if app in compiled.apps else "", workload if workload in compiled.workloads else "")
        if key not in self._labels:
            self._labels[key] = folding.label_of(compiled.scopes_of(*key))
        return self._labels[key]


def canonical_json(document: Document) -> bytes:
    """Return the bytes whose sha256 is the policy's version."""
    plain = document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return msgspec.json.encode(plain, order="deterministic")


def load_policy(text: str, *, origin: str) -> Policy:
    """Read a policy file.

    Args:
        text: The file's YAML (JSON is YAML too).
        origin: Its path, for messages.

    Raises:
        PolicyInvalid: anything wrong; each line of the message is ``file:line: reason``.
    """
    plain, lines = read_yaml(text, origin=origin)
    return _policy(plain, source=text, lines=lines)


def policy_from_canonical(canonical: bytes) -> Policy:
    """Return the policy that :attr:`Policy.canonical_json` was made from; versions are equal.

    Raises:
        PolicyInvalid: the bytes are not a policy this version of Trimtab can read.
    """
    origin = f"policy {hashlib.sha256(canonical).hexdigest()[:12]}"
    try:
        plain = msgspec.json.decode(canonical)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise PolicyInvalid(f"{origin}: not JSON: {exc}.") from exc
    return _policy(plain, source=canonical.decode(), lines=SourceLines(origin))


def _policy(plain: Plain, *, source: str, lines: SourceLines) -> Policy:
    try:
        document = Document.model_validate_json(msgspec.json.encode(plain))
    except ValidationError as exc:
        raise invalid(exc, plain, lines) from exc
    return Policy(document, _compile(document, lines), source=source, lines=lines)


def _compile(document: Document, lines: SourceLines) -> Compiled:
    problems: list[str] = []
    rules: list[CompiledRule] = []
    seen: dict[str, int] = {}
    for index, rule in enumerate(document.rules):
        if rule.id in seen or rule.id in _RESERVED:
            clash = f"rule {seen[rule.id]} has it" if rule.id in seen else "a scope is called so"
            problems.append(f"{lines.at(('rules', index, 'id'))}: rule id {rule.id!r} is taken; {clash}.")
        seen.setdefault(rule.id, index)
        try:
            when = when_of(rule)
        except ValueError as exc:
            problems.append(f"{lines.at(('rules', index, 'when'))}: rule {rule.id!r}: {exc}.")
            continue
        rules.append(rule_of(rule.id, when, rule.then, priority=rule.priority, why=rule.why))
    if problems:
        raise refused(problems)
    return Compiled(
        document=document,
        organisation=scope_of("organisation", document.organisation) if document.organisation is not None else None,
        apps={name: scope_of(f"app:{name}", terms) for name, terms in document.apps.items()},
        workloads={name: scope_of(f"workload:{name}", terms) for name, terms in document.workloads.items()},
        rules=tuple(sorted(rules, key=lambda rule: rule.priority)),
    )
