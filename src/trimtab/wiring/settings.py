"""Settings: one frozen model, from flags, then environment, then file, then defaults."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trimtab.catalog import ModelConfig
from trimtab.core.errors import ConfigurationError
from trimtab.providers import ProviderConfig
from trimtab.serving import EngineConfig
from trimtab.workloads import WorkloadConfig

ENVIRONMENT = {
    "TRIMTAB_CONFIG": "config",
    "TRIMTAB_DATABASE": "database",
    "TRIMTAB_DATA_DIR": "data_dir",
    "TRIMTAB_HOST": "listen.host",
    "TRIMTAB_PORT": "listen.port",
    "TRIMTAB_CONTROL_HOST": "control.host",
    "TRIMTAB_CONTROL_PORT": "control.port",
    "TRIMTAB_WORKERS": "workers",
    "TRIMTAB_AUTH": "auth",
    "TRIMTAB_POLICY_FILE": "policy_file",
    "TRIMTAB_LOG_LEVEL": "log_level",
}
"""Every environment name that is read, and the setting it overrides."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ListenSettings(_Section):
    """An address to listen on."""

    host: str = "127.0.0.1"
    """Loopback by default; another address requires ``auth: keys``."""
    port: int = Field(default=4180, ge=0, le=65535)
    """0 takes a free one."""


class ControlSettings(_Section):
    """The control API and pages, on their own listener so that no data-plane caller can reach them."""

    host: str = "127.0.0.1"
    """Loopback by default; it asks for a key on any address."""
    port: int = Field(default=4181, ge=0, le=65535)
    """0 takes a free one."""
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    """Host headers answered; others get 400 (DNS rebinding)."""


class LimitSettings(_Section):
    """Limits of the data plane."""

    max_body_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    """A longer request is refused with 413 before it is parsed."""
    max_response_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """A longer answer that is no stream counts as a failure of the provider."""
    body_timeout_s: float = Field(default=30.0, gt=0)
    """A request body must arrive within it."""
    call_timeout_s: float = Field(default=600.0, gt=0)
    """A whole call, failovers included."""
    max_attempts: int = Field(default=4, ge=1, le=20)
    """Models asked for one call, the first included."""


class JournalSettings(_Section):
    """How calls are written down."""

    enabled: bool = True
    """Off is for benchmarks: nothing is recorded, so nothing is measured."""
    flush_ms: int = Field(default=200, ge=1)
    """A finished call is in the database after about this long."""
    flush_rows: int = Field(default=500, ge=1)
    """Or as soon as this many wait; at most so many go into one transaction."""
    max_recorded_body_bytes: int = Field(default=262_144, ge=0)
    """Longer bodies are cut in the journal; what is relayed is never cut."""
    spool_cap_bytes: int = Field(default=512 * 1024 * 1024, ge=1024 * 1024)
    """Size of a worker's spool from which on calls wait in memory alone, and ``/readyz`` says degraded."""
    durability: Literal["normal", "fsync"] = "normal"
    """``normal`` survives a killed process; ``fsync`` waits for the disk at each flush and survives a power cut."""
    retention_days: int | None = Field(default=None, ge=1)
    """Older calls are removed with their bodies; roll-ups stay. ``None`` keeps everything."""


class Settings(_Section):
    """Everything a Trimtab process can be told."""

    data_dir: Path = Path("trimtab-data")
    """Database, spool and secrets; created with mode 0700."""
    database: str = ""
    """``sqlite:///PATH`` or ``postgresql://…``; empty is ``trimtab.db`` in ``data_dir``."""
    policy_file: Path | None = None
    """Watched: a changed file is checked and put in force. ``None`` serves the version last applied."""
    listen: ListenSettings = ListenSettings()
    control: ControlSettings = ControlSettings()
    workers: int = Field(default=1, ge=1, le=256)
    """Data-plane processes. With more than one the control listener has a process of its own."""
    auth: Literal["keys", "none"] = "keys"
    """``none`` only on loopback."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least serious line that goes to standard error."""
    providers: tuple[ProviderConfig, ...] = ()
    """Upstreams that calls may go to."""
    engines: tuple[EngineConfig, ...] = ()
    """Local model servers; each is a provider of the pool under its name."""
    models: tuple[ModelConfig, ...] = ()
    """The pool: what may serve, as far as policy allows."""
    aliases: dict[str, str] = {}
    """Short names that callers and policies may use, each for one ``provider:model``."""
    workloads: tuple[WorkloadConfig, ...] = ()
    """Named categories of calls, in the order in which their rules are tried."""
    limits: LimitSettings = LimitSettings()
    journal: JournalSettings = JournalSettings()

    @model_validator(mode="after")
    def _check(self) -> "Settings":
        if self.auth == "none" and self.listen.host not in LOOPBACK:
            raise ValueError(
                f"auth is 'none' and listen.host is {self.listen.host!r}: without keys only loopback is allowed"
            )
        engines = {engine.name: engine for engine in self.engines}
        names = [*(provider.name for provider in self.providers), *(engine.name for engine in self.engines)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"provider {name!r} is listed twice")
        for model in self.models:
            if model.provider not in names:
                raise ValueError(f"model {model.model!r} names provider {model.provider!r}, which is not configured")
            engine = engines.get(model.provider)
            if engine is not None and engine.model_names and model.model not in engine.model_names:
                served = ", ".join(engine.model_names)
                raise ValueError(f"model {model.model!r} is not served by engine {engine.name!r}, which has {served}")
        return self

    @property
    def database_url(self) -> str:
        """The database, with the default filled in."""
        return self.database or f"sqlite:///{self.data_dir / 'trimtab.db'}"


def load_settings(
    path: Path | None, environment: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> Settings:
    """Read the settings.

    Args:
        path: The YAML file, or ``None`` for defaults and environment alone. Relative paths in it are relative to it.
        environment: Defaults to the process's own.
        overrides: Flags, as dotted names to values; they win over everything.

    Raises:
        ConfigurationError: unreadable file, unknown key or environment name (the nearest is suggested), wrong value.
    """
    document = _read(path) if path is not None else {}
    origins: dict[str, str] = {}
    for name, value in (environment if environment is not None else os.environ).items():
        if name.startswith("TRIMTAB_"):
            if name not in ENVIRONMENT:
                raise ConfigurationError(f"Unknown environment name {name}.", hint=_nearest(name, ENVIRONMENT))
            if name != "TRIMTAB_CONFIG":
                _set(document, ENVIRONMENT[name], value)
                origins[ENVIRONMENT[name]] = name
    for name, flag in (overrides or {}).items():
        if flag is not None:
            _set(document, name, flag)
            origins[name] = "command line"
    try:
        settings = Settings.model_validate(document)
    except ValidationError as exc:
        raise ConfigurationError(_explain(exc, path, origins), hint=_hint(exc)) from exc
    return settings if path is None else _anchored(settings, path.resolve().parent)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as exc:
        raise ConfigurationError(
            f"The configuration {path} cannot be read: {exc.strerror}.", hint="`trimtab init` writes one."
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigurationError(f"The configuration {path} is not UTF-8 text.") from exc
    except yaml.MarkedYAMLError as exc:
        line = f":{exc.problem_mark.line + 1}" if exc.problem_mark is not None else ""
        raise ConfigurationError(f"{path}{line}: not YAML: {exc.problem}.") from exc
    except yaml.YAMLError as exc:
        raise ConfigurationError(f"The configuration {path} is not YAML: {exc}.") from exc
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigurationError(f"The configuration {path} is a {type(document).__name__}, not a mapping.")
    return document


def _set(document: dict[str, Any], dotted: str, value: object) -> None:
    """Put a value into a document; a section that is none there is left to the check, which refuses it."""
    *parents, last = dotted.split(".")
    section: Any = document  # Any: whatever YAML holds there
    for parent in parents:
        section = section.setdefault(parent, {})
        if not isinstance(section, dict):
            return
    section[last] = value


def _anchored(settings: Settings, folder: Path) -> Settings:
    update: dict[str, object] = {"data_dir": folder / settings.data_dir}
    if settings.policy_file is not None:
        update["policy_file"] = folder / settings.policy_file
    if settings.database.startswith("sqlite:///") and not settings.database.startswith("sqlite:////"):
        update["database"] = f"sqlite:///{folder / settings.database.removeprefix('sqlite:///')}"
    providers = tuple(each.model_copy(update=_anchored_files(each, folder)) for each in settings.providers)
    engines = tuple(_anchored_engine(each, folder) for each in settings.engines)
    return settings.model_copy(update={**update, "providers": providers, "engines": engines})


def _anchored_files(provider: ProviderConfig, folder: Path) -> dict[str, Path]:
    files = {"path": provider.path, "api_key_file": provider.api_key_file, "ca_file": provider.ca_file}
    return {name: folder / file for name, file in files.items() if file is not None}


def _anchored_engine(engine: EngineConfig, folder: Path) -> EngineConfig:
    adapters = tuple(each.model_copy(update={"path": folder / each.path}) for each in engine.adapters)
    path = None if engine.path is None else folder / engine.path
    return engine.model_copy(update={"path": path, "adapters": adapters})


_SAID = {
    "extra_forbidden": "there is no such setting",
    "int_parsing": "should be a whole number",
    "model_type": "should hold settings of its own",
    "missing": "is missing",
}
"""What is said in place of pydantic's words."""
_NUMBERS = frozenset(
    {"int_parsing", "float_parsing", "greater_than", "greater_than_equal", "less_than", "less_than_equal"}
)
_WORDS = frozenset({"bool_parsing", "literal_error", "enum"})
"""Kinds of error that are said with the value: it is a number or a word, never a secret."""


def _explain(exc: ValidationError, path: Path | None, origins: Mapping[str, str]) -> str:
    first = exc.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = _SAID.get(first["type"]) or first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = f", not {first['input']!r}" if first["type"] in _NUMBERS | _WORDS else ""
    origin = origins.get(where) or path or "settings"
    return ": ".join([str(origin), *([where] if where else []), f"{said}{given}."])


def _hint(exc: ValidationError) -> str:
    first = exc.errors(include_url=False)[0]
    if first["type"] != "extra_forbidden":
        return "docs/reference/settings.md lists every setting with its default."
    *parents, unknown = first["loc"]
    return _nearest(str(unknown), _section_at(parents).model_fields)


def _section_at(path: Sequence[int | str]) -> type[BaseModel]:
    """Return the model that a position in the document is read into; the whole document's where there is none."""
    section: type[BaseModel] = Settings
    for name in path:
        field = section.model_fields.get(str(name))
        inner = field.annotation if field is not None else None
        if get_origin(inner) is tuple:
            inner = get_args(inner)[0]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            section = inner
    return section


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."
