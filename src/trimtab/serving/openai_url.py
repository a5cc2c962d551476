"""Any server that speaks OpenAI's protocol and runs by itself: llama-server, vLLM, SGLang, TGI, LM Studio, others."""

from collections.abc import Mapping
from typing import Any

from trimtab.catalog import Capability
from trimtab.core.errors import EngineError
from trimtab.serving.engine import EngineFacts, EngineLoad
from trimtab.serving.found import FoundEngine
from trimtab.serving.http import NoAnswer, ask, ask_json
from trimtab.serving.metrics import read_load

_PLAIN: frozenset[Capability] = frozenset({"chat", "streaming"})
_WITH_GRAMMAR: frozenset[Capability] = _PLAIN | {"json_object", "json_schema"}
_CAPABILITIES: Mapping[str, frozenset[Capability]] = {
    "llamacpp": _WITH_GRAMMAR,
    "vllm": _WITH_GRAMMAR,
    "sglang": _WITH_GRAMMAR,
}
"""By ``owned_by`` of a server's models: those bring constrained decoding with them; of others it is not assumed."""


class OpenAIEngine(FoundEngine):
    """Satisfies ``trimtab.serving.engine.Engine``.

    Args:
        config: One of kind ``openai``.
    """

    async def is_healthy(self) -> bool:
        """Ask for its models, which every such server lists."""
        try:
            await ask(self._endpoint, "models")
        except NoAnswer:
            return False
        return True

    async def load(self) -> EngineLoad:
        """Read its metrics, where it has some that are known here."""
        return await read_load(self._endpoint)

    async def _facts(self) -> EngineFacts:
        listed: Any = await self._once_it_answers(lambda: ask_json(self._endpoint, "models"))
        rows = [row for row in _items(listed, "data") if isinstance(row.get("id"), str)]
        names = tuple(str(row["id"]) for row in rows)
        wanted = self._config.model
        if wanted is not None and wanted not in names:
            raise EngineError(
                f"{self._label}: {self._endpoint.base_url} serves {', '.join(names) or 'nothing'}, and not {wanted!r}.",
                hint="Write `model:` as the server lists it at /v1/models, or start the server with that model.",
            )
        row = next((row for row in rows if row["id"] == wanted), rows[0] if rows else {})
        raw_meta = row.get("meta")
        meta = raw_meta if isinstance(raw_meta, dict) else {}  # llama.cpp's
        owner = str(row.get("owned_by"))
        about = await self._about(owner)
        return EngineFacts(
            models=names,
            capabilities=_CAPABILITIES.get(owner, _PLAIN),
            context_tokens=_count(row.get("max_model_len")) or _count(meta.get("n_ctx")),
            slots=_count(about.get("total_slots")),
            n_parameters=_count(meta.get("n_params")),
            size_bytes=_count(meta.get("size")),
            version=_text(about.get("version")) or _text(about.get("build_info")),
        )

    async def _about(self, owner: str) -> Mapping[str, Any]:
        """Return what a server says of itself at the address that its kind has for that."""
        path = {"llamacpp": "/props", "vllm": "/version"}.get(owner)
        if path is None:
            return {}
        try:
            said = await ask_json(self._endpoint, path)
        except NoAnswer:
            return {}
        return said if isinstance(said, dict) else {}

    def _so_far(self) -> str:
        return f": {self._last_silence}" if self._last_silence else "."


def _items(answer: Any, key: str) -> list[dict[str, Any]]:  # Any: JSON of whoever runs the server
    rows = answer.get(key) if isinstance(answer, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
