"""From a request to its workload, task type and sensitivity, each with a reason."""

import re
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import NamedTuple

import msgspec

from trimtab.core import STRICTEST, Sensitivity
from trimtab.core.errors import ConfigurationError, InvalidRequest
from trimtab.core.messages import WireRequest
from trimtab.workloads.config import NAME_PATTERN, UNCLASSIFIED, MatchRule, WorkloadConfig, compile_regex
from trimtab.workloads.detector import detected_sensitivity
from trimtab.workloads.fingerprints import fingerprint
from trimtab.workloads.hints import CallHints
from trimtab.workloads.shapes import RequestShape, shape_of
from trimtab.workloads.tasks import CLASS_OF_TASK, TaskType, WorkloadClass, task_type_of

_NAME = re.compile(NAME_PATTERN)
_MODEL_PREFIX = "workload/"
_LEVELS = tuple(Sensitivity)
"""By number; calling the enumeration takes a microsecond."""


class Classification(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of call it is."""

    workload: str
    workload_class: WorkloadClass
    task_type: TaskType
    sensitivity: Sensitivity
    shape: RequestShape
    _why: tuple[Callable[[], str], ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence each for workload, task type and sensitivity; no content of the call. Put together on demand."""
        return tuple(why() for why in self._why)


class _Seen(NamedTuple):
    """One call as match rules see it."""

    request: WireRequest
    app: str
    task_type: TaskType
    shape: RequestShape


_Check = Callable[[_Seen], bool]
_Reason = Callable[[], str]


class Classifier:
    """Recognises calls. Stateless but for its rules.

    Args:
        configs: Workloads; the first with a fitting rule takes the call.

    Raises:
        ConfigurationError: two workloads share a name.
    """

    def __init__(self, configs: Sequence[WorkloadConfig] = ()) -> None:
        self._by_name: dict[str, WorkloadConfig] = {}
        for config in configs:
            if config.name in self._by_name:
                raise ConfigurationError(
                    f"Workload {config.name!r} is configured twice.", hint="Rename one of the two."
                )
            self._by_name[config.name] = config
        self._rules = [
            (config.name, f"match[{index}]", _checks_of(rule))
            for config in configs
            for index, rule in enumerate(config.match)
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """The configured workloads."""
        return tuple(self._by_name)

    def classify(self, request: WireRequest, hints: CallHints) -> Classification:
        """Classify one call.

        Raises:
            InvalidRequest: the workload named in the header or in ``model`` is no valid name, or a field of the request
                that is read has the wrong type.
        """
        seen = _Seen(request, hints.app, task_type_of(request), shape_of(request))
        workload, why_workload = self._workload_of(seen, hints)
        config = self._by_name.get(workload)
        task_type, how = seen.task_type, "recognised by rule"
        if config is not None and config.task_type is not None:
            task_type, how = config.task_type, "as the workload is configured"
        declared = config.workload_class if config is not None else None
        sensitivity, why_sensitivity = _sensitivity_of(request, hints, workload, config)
        return Classification(
            workload=workload,
            workload_class=declared or CLASS_OF_TASK.get(task_type, "unknown"),
            task_type=task_type,
            sensitivity=sensitivity,
            shape=seen.shape,
            _why=(why_workload, lambda: f"Task type {task_type}, {how}.", why_sensitivity),
        )

    def _workload_of(self, seen: _Seen, hints: CallHints) -> tuple[str, _Reason]:
        if hints.workload is not None:
            return _checked_name(hints.workload, "x-trimtab-workload"), lambda: "Named in header x-trimtab-workload."
        if seen.request.model.startswith(_MODEL_PREFIX):
            return _checked_name(
                seen.request.model.removeprefix(_MODEL_PREFIX), "model"
            ), lambda: "Named in field model."
        for name, rule, checks in self._rules:
            if all(check(seen) for check in checks):
                return name, partial(_rule_fits, name, rule)
        return UNCLASSIFIED, lambda: _no_rule_fits(seen.request.system_text)


def _rule_fits(name: str, rule: str) -> str:
    return f"Rule {name}.{rule} fits."


def _no_rule_fits(system_text: str) -> str:
    if not system_text:
        return "No rule fits, and there is no system prompt to recognise such calls by."
    return f"No rule fits; `system_fingerprint: {fingerprint(system_text)}` would catch such calls."


def _checked_name(name: str, source: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise InvalidRequest(
            f"The workload named in `{source}` is not a valid name.",
            param=source,
            hint="Use 1 to 64 of a-z, 0-9, '_', '.' and '-', beginning with a letter or digit.",
        )
    return name


def _sensitivity_of(
    request: WireRequest, hints: CallHints, workload: str, config: WorkloadConfig | None
) -> tuple[Sensitivity, _Reason]:
    """Return the strictest of the labels given, raised by what the content holds; the strictest of all without one."""
    label, source = -1, ""
    for level, who in (
        (hints.sensitivity, "call"),
        (hints.app_sensitivity, "app"),
        (hints.policy_sensitivity(workload), "policy"),
        (config.sensitivity_level if config is not None else None, "workload"),
    ):
        if level is not None and level > label:
            label, source = level, who
    if label < 0:
        return STRICTEST, lambda: f"Sensitivity {STRICTEST.label}: nobody gave a label, so the strictest holds."
    given = _LEVELS[label]
    level, kind = detected_sensitivity(request.body, given)
    if kind is None:
        return level, lambda: f"Sensitivity {level.label}: the {source}'s label."
    return (
        level,
        lambda: f"Sensitivity {level.label}: the content holds {kind}; the {source}'s label was {given.label}.",
    )


def _checks_of(rule: MatchRule) -> tuple[_Check, ...]:
    """Return the conditions that the rule gives, the cheap ones first."""
    conditions: tuple[tuple[object, _Check], ...] = (
        (rule.api, lambda seen: seen.request.api is rule.api),
        (rule.has_tools, lambda seen: (seen.shape.n_tools > 0) is rule.has_tools),
        (rule.json_mode, lambda seen: (seen.shape.json_mode is not None) is rule.json_mode),
        (rule.min_input_tokens, lambda seen: seen.shape.input_tokens >= (rule.min_input_tokens or 0)),
        (rule.max_input_tokens, lambda seen: seen.shape.input_tokens <= (rule.max_input_tokens or 0)),
        (rule.task_types or None, lambda seen: seen.task_type in rule.task_types),
        (rule.app, lambda seen: fnmatchcase(seen.app, rule.app or "")),
        (rule.requested_model, lambda seen: fnmatchcase(seen.request.model, rule.requested_model or "")),
        (rule.system_prefix, lambda seen: seen.request.system_text.lstrip().startswith(rule.system_prefix or "")),
        (rule.system_fingerprint, lambda seen: fingerprint(seen.request.system_text) == rule.system_fingerprint),
        (rule.system_regex, _regex_check(rule.system_regex or "")),
    )
    return tuple(check for value, check in conditions if value is not None)


def _regex_check(pattern: str) -> _Check:
    regex = compile_regex(pattern)
    return lambda seen: regex.search(seen.request.system_text.encode("utf-8", "surrogatepass")) is not None
