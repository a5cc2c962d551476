"""Workloads as configured: their facts, and the rules by which calls are recognised."""

from typing import Self

import re2
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from trimtab.core import Api, Sensitivity, parse_sensitivity
from trimtab.workloads.tasks import TaskType, WorkloadClass

NAME_PATTERN = r"[a-z0-9][a-z0-9_.-]{0,63}"
UNCLASSIFIED = "unclassified"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class MatchRule(_Section):
    """Conditions on a call; all that are given must hold."""

    app: str | None = None
    """Glob on the application's name."""
    api: Api | None = None
    """``chat_completions``, ``messages`` or ``embeddings``."""
    requested_model: str | None = None
    """Glob on the model the caller asked for."""
    system_fingerprint: str | None = Field(default=None, pattern=r"^[0-9a-f]{12}$")
    """Fingerprint of the system prompt, as ``trimtab.workloads.fingerprint`` returns it."""
    system_prefix: str | None = Field(default=None, min_length=1)
    """What the system prompt begins with, leading white space aside."""
    system_regex: str | None = Field(default=None, min_length=1, max_length=2_000)
    """RE2 pattern found anywhere in the system prompt."""
    task_types: tuple[TaskType, ...] = ()
    """The call's own task type is one of these."""
    has_tools: bool | None = None
    """Whether the request offers tools."""
    json_mode: bool | None = None
    """Whether the caller asks for JSON."""
    min_input_tokens: int | None = Field(default=None, ge=0)
    """Compared with the estimate rounded up to a power of two."""
    max_input_tokens: int | None = Field(default=None, ge=1)
    """Compared with the estimate rounded up to a power of two."""

    @field_validator("system_regex")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                compile_regex(pattern)
            except re2.error as exc:
                raise ValueError(f"system_regex is not an RE2 pattern: {exc}") from exc
        return pattern

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if not self.model_dump(exclude_defaults=True):
            raise ValueError('a rule without a condition would match every call; write `app: "*"` if that is meant')
        return self


class WorkloadConfig(_Section):
    """A named category of calls."""

    name: str = Field(pattern=f"^{NAME_PATTERN}$")
    """What calls, policies and reports call it: 1 to 64 of a-z, 0-9, ``_``, ``.`` and ``-``."""
    owner: str = ""
    """Who answers for it."""
    description: str = ""
    """What it is, for people."""
    workload_class: WorkloadClass | None = None
    """``routine``, ``reasoning`` or ``unknown``; by task type where it is not given."""
    task_type: TaskType | None = None
    """Holds for every call of the workload; recognised call by call where it is not given."""
    sensitivity: str | None = None
    """``public``, ``internal``, ``confidential`` or ``restricted``. A call can be stricter, never laxer."""
    baseline_model: str | None = None
    """What savings and quality are compared with, as ``provider:model``."""
    match: tuple[MatchRule, ...] = ()
    """A call that fits one of them belongs here, unless an earlier workload took it."""

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name == UNCLASSIFIED:
            raise ValueError(f"{UNCLASSIFIED!r} is the name for calls that no workload takes")
        return name

    @field_validator("sensitivity")
    @classmethod
    def _is_a_level(cls, label: str | None) -> str | None:
        return None if label is None else parse_sensitivity(label).label

    @property
    def sensitivity_level(self) -> Sensitivity | None:
        """The label as a level."""
        return None if self.sensitivity is None else parse_sensitivity(self.sensitivity)


def compile_regex(pattern: str) -> re2._Regexp:
    """Compile a pattern for UTF-8 bytes, without RE2's own line on standard error.

    Raises:
        re2.error: the pattern is not RE2.
    """
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern.encode(), options)
