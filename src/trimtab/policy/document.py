"""The policy document: what a file may say, checked once when it is read."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    create_model,
    model_validator,
)

from trimtab.catalog import Capability
from trimtab.core import Sensitivity, SensitivityLabel
from trimtab.policy.constraints import Mode, OnExhausted, Preset
from trimtab.policy.expression import All, AnyOf, Leaf, Node, Not, Operator, leaf
from trimtab.policy.fields import FIELDS, FactField, Kind

Label = SensitivityLabel
StoreName = Literal["none", "metadata", "redacted", "full"]
"""``trimtab.core.StoreMode`` as a file writes it, from what keeps least to what keeps most."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=120)]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
Pattern = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=200)]
Patterns = Annotated[list[Pattern], Field(min_length=1)]
Usd = Annotated[Decimal, Field(ge=0, le=1_000_000_000, decimal_places=9)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    """Unknown keys are errors and types are exact."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class Part(_Strict):
    """An empty part says nothing and is refused."""

    @model_validator(mode="after")
    def _says_something(self) -> "Part":
        if not self.model_fields_set:
            raise ValueError("is empty; say something in it or remove it")
        return self


class ModelLists(Part):
    """Which models may be used. A name or a glob; without ``provider:`` it means that model at every provider."""

    allow: Patterns | None = None
    """Only these. Several scopes intersect."""
    deny: Patterns | None = None
    """Never these. Wins over every ``allow``."""


class Requirements(Part):
    """What a model's card must say."""

    boundary: Literal["inside"] | None = None
    """Only models inside the organisation's own boundary."""
    regions: Annotated[list[Text], Field(min_length=1)] | None = None
    """Only models in one of these regions; an unknown region fails."""
    capabilities: Annotated[list[Capability], Field(min_length=1)] | None = None
    """Only models that can do all of these."""
    approved: Literal[True] | None = None
    """Only models approved for regulated workloads."""


class PinTerm(Part):
    """One model and no other, until somebody looks again."""

    model: Pattern
    """The full name, an alias, or a model name that one provider serves."""
    review_at: date
    """After this day the pin still holds, and lint complains."""
    reason: Text | None = None


class LatencyTerm(Part):
    """Measured latency a model must meet; one with fewer than ``min_samples`` measurements is not excluded."""

    ttft_p95_ms: Positive | None = None
    total_p95_ms: Positive | None = None
    min_output_tokens_per_s: Positive | None = None
    min_samples: Annotated[int, Field(ge=1)] | None = None
    """20 where no scope says otherwise."""


class BudgetTerm(Part):
    """A cap of this scope alone, in US dollars; the caps of several scopes hold together."""

    per_call_usd: Usd | None = None
    per_day_usd: Usd | None = None
    """UTC days."""
    per_month_usd: Usd | None = None
    """UTC calendar months."""
    on_exhausted: OnExhausted = "refuse"
    queue_timeout_s: Positive = 30.0

    @model_validator(mode="after")
    def _has_a_limit(self) -> "BudgetTerm":
        if self.per_call_usd is None and self.per_day_usd is None and self.per_month_usd is None:
            raise ValueError("has no limit; give per_call_usd, per_day_usd or per_month_usd")
        return self


class Terms(Part):
    """What one scope or rule says. Each term can only narrow what wider scopes left."""

    models: ModelLists | None = None
    require: Requirements | None = None
    sensitivity: Label | None = None
    """A label for the scope's calls; the strictest label wins."""
    mode: Mode | None = None
    preset: Preset | None = None
    prefer: Patterns | None = None
    """Order of preference where nothing measured decides."""
    pin: PinTerm | None = None
    quality_bar: Annotated[float, Field(ge=0, le=1)] | None = None
    """Fraction of 1; the highest bar wins."""
    latency: LatencyTerm | None = None
    budget: BudgetTerm | None = None
    energy_wh_per_call: Positive | None = None
    store: StoreName | None = None
    """How much of a call is kept; the least wins. ``redacted`` where no scope says otherwise."""
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    max_choices: Annotated[int, Field(ge=1)] | None = None
    requested_model: Literal["narrows", "hint"] | None = None
    """``narrows`` (also where no scope says): a call that names a model gets that one or none. ``hint``: it is only
    preferred. One ``narrows`` in any scope wins."""


class _Tests(Part):
    """Operators on one field; several must hold together."""

    exists: bool | None = None
    """Whether the call has a value here at all."""


class TextTests(_Tests):
    """Operators on text."""

    eq: str | None = None
    ne: str | None = None
    in_: list[str] | None = Field(default=None, alias="in", min_length=1)
    not_in: Annotated[list[str], Field(min_length=1)] | None = None
    prefix: Text | None = None
    suffix: Text | None = None
    contains: Text | None = None
    matches: str | None = None
    """An RE2 pattern, found anywhere unless anchored with ``^`` and ``$``."""


class CountTests(_Tests):
    """Operators on whole numbers."""

    eq: int | None = None
    ne: int | None = None
    in_: list[int] | None = Field(default=None, alias="in", min_length=1)
    not_in: Annotated[list[int], Field(min_length=1)] | None = None
    lt: int | None = None
    le: int | None = None
    gt: int | None = None
    ge: int | None = None


class FlagTests(_Tests):
    """Operators on true and false."""

    eq: bool | None = None
    ne: bool | None = None


class LevelTests(_Tests):
    """Operators on sensitivity; ``public`` is the lowest level, ``restricted`` the highest."""

    eq: Label | None = None
    ne: Label | None = None
    in_: list[Label] | None = Field(default=None, alias="in", min_length=1)
    not_in: Annotated[list[Label], Field(min_length=1)] | None = None
    lt: Label | None = None
    le: Label | None = None
    gt: Label | None = None
    ge: Label | None = None


# ``Any``: a validator sees what the file says, before it is checked.
def _spelled_out(value: Any) -> Any:
    """``field: x`` means ``field: {eq: x}`` and ``field: [x, y]`` means ``field: {in: [x, y]}``."""
    if isinstance(value, dict):
        return value
    return {"in" if isinstance(value, list) else "eq": value}


_TESTS: dict[Kind, tuple[type[_Tests], Any]] = {
    "text": (TextTests, str | list[str] | TextTests),
    "count": (CountTests, int | list[int] | CountTests),
    "flag": (FlagTests, bool | FlagTests),
    "level": (LevelTests, Label | list[Label] | LevelTests),
}


def _field_annotation(field: FactField) -> Any:
    tests, written_as = _TESTS[field.kind]
    return Annotated[tests, BeforeValidator(_spelled_out, json_schema_input_type=written_as)] | None


class ConditionBase(Part):
    """Tests on facts of the call. Everything in one mapping must hold."""

    all_: list["Condition"] | None = Field(default=None, alias="all", min_length=1)
    any_: list["Condition"] | None = Field(default=None, alias="any", min_length=1)
    not_: "Condition | None" = Field(default=None, alias="not")


if TYPE_CHECKING:

    class Condition(ConditionBase):
        """One optional field for each of ``FIELDS``."""

else:
    Condition = create_model(
        "Condition",
        __base__=ConditionBase,
        __doc__=ConditionBase.__doc__,
        __module__=__name__,
        **{field.name: (_field_annotation(field), None) for field in FIELDS.values()},
    )
    Condition.model_rebuild()


def _kind_of_when(value: object) -> str:
    return "cel" if isinstance(value, str) else "condition"


class Rule(Part):
    """Terms that hold for some calls."""

    id: RuleId
    """Unique; every removal, trace and record names it."""
    when: Annotated[Annotated[Text, Tag("cel")] | Annotated[Condition, Tag("condition")], Discriminator(_kind_of_when)]
    """Tests on facts, or a CEL expression."""
    then: Terms
    priority: int = 0
    """Where two rules set ``mode``, ``preset`` or ``prefer`` for the same call, the higher one wins."""
    why: Text | None = None
    """Said to whoever meets the rule."""


_SCALARS: dict[Kind, Any] = {"text": Text, "count": int, "flag": bool, "level": Label}

if TYPE_CHECKING:

    class TestFacts(_Strict):
        """One optional value for each of ``FIELDS``."""

else:
    TestFacts = create_model(
        "TestFacts",
        __base__=_Strict,
        __doc__="The call of a test. Without ``sensitivity`` it has the label the policy declares, else restricted.",
        __module__=__name__,
        **{field.name: (_SCALARS[field.kind] | None, None) for field in FIELDS.values()},
    )


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


OneOrMore = Annotated[
    list[Pattern], Field(min_length=1), BeforeValidator(_one_or_more, json_schema_input_type=Pattern | list[Pattern])
]


class Expectation(Part):
    """What must come out; every line given is checked."""

    model_allowed: OneOrMore | None = None
    model_denied: OneOrMore | None = None
    allowed: list[Pattern] | None = None
    """Exactly these models, in any order."""
    refused: bool | None = None
    """Whether no model is left."""
    rule: OneOrMore | None = None
    """Rules or scopes that must have applied."""
    mode: Mode | None = None
    preset: Preset | None = None
    sensitivity: Label | None = None
    store: StoreName | None = None


class PolicyTest(Part):
    """An example in the file; all of them run before the policy is put in force."""

    name: Text
    facts: TestFacts
    expect: Expectation


class Document(Part):
    """A policy: scopes from wide to narrow, then rules. Each may only narrow what the ones before it left."""

    policy: Name
    """The policy's name."""
    organisation: Terms | None = None
    """Holds for every call."""
    apps: dict[Name, Terms] = {}
    workloads: dict[Name, Terms] = {}
    rules: list[Rule] = []
    tests: list[PolicyTest] = []


def level(label: Label) -> Sensitivity:
    """Return the level a checked label names."""
    return Sensitivity[label.upper()]


def node_of(condition: ConditionBase) -> Node:
    """Return the tree a condition means.

    Raises:
        ValueError: a ``matches`` pattern that RE2 does not accept.
    """
    parts: list[Node] = []
    for field in FIELDS.values():
        tests: _Tests | None = getattr(condition, field.name)
        if tests is not None:
            parts += _leaves(field, tests)
    if condition.all_:
        parts += [node_of(part) for part in condition.all_]
    if condition.any_:
        parts.append(AnyOf(tuple(node_of(part) for part in condition.any_)))
    if condition.not_ is not None:
        parts.append(Not(node_of(condition.not_)))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _leaves(field: FactField, tests: _Tests) -> list[Leaf]:
    to_fact: Callable[[Any], Any] = level if field.kind == "level" else lambda value: value
    leaves = []
    for name in sorted(tests.model_fields_set):
        wanted = getattr(tests, name)
        if wanted is None:
            continue
        operator = cast(Operator, name.rstrip("_"))  # the tests' field names are the operators, plus in_
        if operator != "exists":
            wanted = [to_fact(item) for item in wanted] if isinstance(wanted, list) else to_fact(wanted)
        leaves.append(leaf(field, operator, wanted))
    return leaves


def when_of(rule: Rule) -> Node:
    """Return the tree of the rule's ``when``.

    Raises:
        ValueError: a pattern or CEL expression that cannot be used.
    """
    if isinstance(rule.when, str):
        from trimtab.policy.cel_rules import cel_rule

        return cel_rule(rule.when)
    return node_of(rule.when)
