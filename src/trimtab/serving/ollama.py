"""Ollama: its native protocol for what it has, holds in memory and can fetch; OpenAI's form below ``/v1`` for calls.

After Ollama's API reference (docs.ollama.com/api) as of version 0.12.6: ``/api/version``, ``/api/tags``,
``/api/show``, ``/api/ps``, ``/api/pull`` and ``/api/generate``. Fields that came late (``capabilities`` of ``show``,
``context_length`` of ``ps``) may be missing.
"""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from trimtab.catalog import Capability
from trimtab.core.errors import EngineError
from trimtab.serving.config import EngineConfig
from trimtab.serving.engine import EngineFacts, EngineLoad
from trimtab.serving.found import FoundEngine
from trimtab.serving.http import NoAnswer, ask, ask_json, ask_lines

log = logging.getLogger("trimtab.serving")

PULL_SILENCE_S = 60.0
"""Ollama reports several times a second while it downloads; checking what it got takes longer."""
_CAPABILITIES: Mapping[str, frozenset[Capability]] = {
    "completion": frozenset({"chat", "streaming", "json_object", "json_schema"}),
    "tools": frozenset({"tools"}),
    "vision": frozenset({"vision"}),
    "embedding": frozenset({"embeddings"}),
}


class OllamaEngine(FoundEngine):
    """Satisfies ``trimtab.serving.engine.Engine``.

    ``keep_alive`` is set when the model is loaded and holds for the calls that follow, until Ollama unloads the model:
    whichever call loads it again gives it Ollama's own default.

    Args:
        config: One of kind ``ollama``.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        assert config.model is not None  # its configuration was checked
        self._model = config.model
        self._doing = ""
        """What the wait is for, for people."""

    async def is_healthy(self) -> bool:
        """Ask for its version, which does not wait for a model."""
        try:
            await ask(self._endpoint, "/api/version")
        except NoAnswer:
            return False
        return True

    async def load(self) -> EngineLoad:
        """Return the memory of the model; Ollama does not count calls or tokens."""
        return EngineLoad(memory_bytes=_count(_row(await self._rows("/api/ps"), self._model).get("size")))

    async def _facts(self) -> EngineFacts:
        self._doing = "no answer yet"
        version: Any = await self._once_it_answers(lambda: ask_json(self._endpoint, "/api/version"))
        if not _row(await self._rows("/api/tags"), self._model):
            await self._pull()
        shown = await self._ask("/api/show", {"model": self._model})
        capabilities = _capabilities(shown)
        if "chat" in capabilities:
            await self._hold()
        held = _row(await self._rows("/api/ps"), self._model)
        found = _row(await self._rows("/api/tags"), self._model)
        details, facts = _section(shown, "details"), _section(shown, "model_info")
        return EngineFacts(
            models=(self._model,),
            capabilities=capabilities,
            context_tokens=_context_tokens(held, shown),
            n_parameters=_count(facts.get("general.parameter_count")),
            size_bytes=_count(found.get("size")),
            precision=str(details["quantization_level"]).lower() if details.get("quantization_level") else None,
            version=f"ollama {version.get('version')}" if isinstance(version, dict) else None,
        )

    async def _hold(self) -> None:
        """Have the model loaded: an empty prompt does nothing else."""
        self._doing = f"Ollama loads {self._model}"
        wanted = {} if self._config.keep_alive is None else {"keep_alive": _keep_alive(self._config.keep_alive)}
        body = {"model": self._model, "prompt": "", "stream": False, **wanted}
        await self._ask("/api/generate", body, timeout_s=self._config.ready_timeout_s)

    async def _pull(self) -> None:
        if not self._config.pull:
            raise EngineError(
                f"{self._label}: Ollama at {self._endpoint.base_url} does not have {self._model!r}.",
                hint=f"`ollama pull {self._model}` fetches it; `pull: true` lets Trimtab do so.",
            )
        problems: list[str] = []
        statuses: list[object] = [None]
        self._doing = f"Ollama pulls {self._model}"

        def report(line: bytes) -> None:
            try:
                said = json.loads(line)
            except ValueError:
                return
            if "error" in said:
                problems.append(str(said["error"]))
                return
            statuses[0] = said.get("status")
            total, completed = _count(said.get("total")), _count(said.get("completed"))
            share = f", {100 * completed // total} %" if total and completed else ""
            doing = f"Ollama pulls {self._model}: {said.get('status')}{share}"
            if doing != self._doing:
                log.info("%s: %s", self._label, doing)
            self._doing = doing

        body = {"model": self._model, "stream": True}
        try:
            await ask_lines(self._endpoint, "/api/pull", body, report, silence_s=PULL_SILENCE_S)
        except NoAnswer as exc:
            problems.append(exc.message)
        if statuses[0] != "success" and not problems:
            problems.append(f"Ollama stopped at {statuses[0]!r}.")
        if problems:
            raise EngineError(
                f"{self._label}: {self._model!r} could not be pulled: {problems[0]}",
                hint=f"Try `ollama pull {self._model}` on the machine that runs Ollama.",
            )

    async def _ask(self, path: str, body: Mapping[str, object], *, timeout_s: float = 10.0) -> dict[str, Any]:
        try:
            said = await ask_json(self._endpoint, path, body, timeout_s=timeout_s)
        except NoAnswer as exc:
            raise EngineError(exc.message, hint="Ollama's own log says more.") from exc
        return said if isinstance(said, dict) else {}

    async def _rows(self, path: str) -> list[dict[str, Any]]:
        said = await ask_json(self._endpoint, path)
        rows = said.get("models") if isinstance(said, dict) else None
        return [row for row in rows or [] if isinstance(row, dict)]

    def _so_far(self) -> str:
        return f": {self._last_silence or self._doing}"


def _row(rows: Iterable[dict[str, Any]], model: str) -> dict[str, Any]:
    """Return the row of a model; a name without a tag means ``latest``."""
    wanted = model if ":" in model.rpartition("/")[2] else f"{model}:latest"
    return next((row for row in rows if wanted in {row.get("model"), row.get("name")}), {})


def _context_tokens(held: Mapping[str, Any], shown: Mapping[str, Any]) -> int | None:
    """Return what a call may hold: as loaded, else as the model's file sets it.

    What the model was trained for (``model_info``) is no answer: Ollama gives it less, and cuts what does not fit.
    """
    set_to = re.search(r"^num_ctx\s+(\d+)", str(shown.get("parameters", "")), re.MULTILINE)
    return _count(held.get("context_length")) or (int(set_to[1]) if set_to else None)


def _capabilities(shown: Mapping[str, Any]) -> frozenset[Capability]:
    said = shown.get("capabilities")
    if not isinstance(said, list):  # before version 0.6.4
        return frozenset({"chat", "streaming"})
    return frozenset().union(*(_CAPABILITIES.get(str(each), frozenset()) for each in said))


def _keep_alive(written: str) -> str | int:
    """Return it as Ollama reads it: a duration with its unit, or a number of seconds; negative is for ever."""
    return int(written) if re.fullmatch(r"-?\d+", written) else written


def _section(shown: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = shown.get(key)
    return section if isinstance(section, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
