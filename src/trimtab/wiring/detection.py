"""What is already here that could serve a model: keys in the environment, Ollama, vLLM or llama.cpp on this machine.

Only loopback addresses are asked, each for at most half a second; a key is seen and never read into a file.
"""

import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROBE_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One upstream that could be configured."""

    name: str
    kind: str
    base_url: str
    api_key_env: str | None = None
    models: tuple[str, ...]
    boundary: str
    """``inside`` for this machine, ``outside`` for a hosted provider."""
    origin: str
    """Where it was seen, for the person who reads the configuration."""


_HOSTED = (
    # environment name, provider, kind, base URL, models from cheap to capable
    ("OPENAI_API_KEY", "openai", "openai", "https://api.openai.com/v1", ("gpt-5-nano", "gpt-5-mini", "gpt-5.4")),
    (
        "ANTHROPIC_API_KEY",
        "anthropic",
        "anthropic",
        "https://api.anthropic.com/v1",
        ("claude-haiku-5-5", "claude-sonnet-5-5"),
    ),
    (
        "MISTRAL_API_KEY",
        "mistral",
        "openai",
        "https://api.mistral.ai/v1",
        ("mistral-small-latest", "mistral-large-latest"),
    ),
    ("DEEPSEEK_API_KEY", "deepseek", "openai", "https://api.deepseek.com/v1", ("deepseek-chat",)),
)

_LOCAL_CAPABILITIES = "chat, streaming, tools, json_object"
_HOSTED_CAPABILITIES = "chat, streaming, tools, vision, json_object, json_schema"

LOCAL_PORTS = {"ollama": 11434, "vllm": 8000, "llamacpp": 8080}
"""Default ports of the local servers that are asked for their models."""


def detect(environment: Mapping[str, str], ports: Mapping[str, int] | None = None) -> list[Found]:
    """Return what could serve, local servers first."""
    found = []
    for name, port in (LOCAL_PORTS if ports is None else ports).items():
        models = _models_of(port)
        if models:
            found.append(
                Found(
                    name=name,
                    kind="openai",
                    base_url=f"http://127.0.0.1:{port}/v1",
                    models=models,
                    boundary="inside",
                    origin=f"answers on 127.0.0.1:{port}",
                )
            )
    for variable, name, kind, base_url, models in _HOSTED:
        if environment.get(variable):
            found.append(
                Found(
                    name=name,
                    kind=kind,
                    base_url=base_url,
                    api_key_env=variable,
                    models=models,
                    boundary="outside",
                    origin=f"{variable} is set",
                )
            )
    return found


def find_gguf(folder: Path) -> list[Path]:
    """Return GGUF files in a folder and two levels below it, the smallest first."""
    patterns = ("*.gguf", "*/*.gguf", "*/*/*.gguf")
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    return sorted(found, key=lambda path: (path.stat().st_size, path))


def _models_of(port: int) -> tuple[str, ...]:
    """Ask an OpenAI-compatible server on this machine for its models; nothing there is an empty answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/v1/models")
        response = connection.getresponse()
        if response.status != 200:
            return ()
        rows = json.loads(response.read(1_000_000))["data"]
        return tuple(str(row["id"]) for row in rows)[:20]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return ()  # whatever answers there, it is no model server
    finally:
        connection.close()


def config_text(found: list[Found], gguf: list[Path]) -> str:
    """Return a commented ``trimtab.yaml`` for what was found.

    Args:
        found: Servers and keys.
        gguf: Model files, relative to where the configuration will stand. The first is served, the others are listed:
            how many fit into this machine's memory is not for us to guess.
    """
    lines = [
        "# Trimtab: what may serve. What is allowed and preferred stands in policy.yaml.",
        "# Every setting with its default: docs/reference/settings.md. `trimtab check` tries this file.",
        "",
        "data_dir: trimtab-data        # database, spool and secrets",
        "policy_file: policy.yaml      # watched: a changed file is checked, and refused or in force within a second",
        "listen: {host: 127.0.0.1, port: 4180}",
        "control: {host: 127.0.0.1, port: 4181}",
        "",
    ]
    if gguf:
        lines += _engine_lines(gguf)
    if found or gguf:
        lines += _provider_lines(found, gguf)
    else:
        lines += _EXAMPLE
    return "\n".join(lines) + "\n"


def _engine_lines(gguf: list[Path]) -> list[str]:
    lines = ["engines:                      # local model servers: started, watched and ended by `trimtab serve`"]
    for number, path in enumerate(gguf[:10], start=1):
        mark, name = ("  ", "local") if number == 1 else ("  # ", f"local-{number}")
        entry = f"{{name: {name}, kind: llama_cpp, path: {json.dumps(str(path))}, model: {model_name(path)}}}"
        lines.append(f"{mark}- {entry}")
    return [*lines, ""]


def model_name(path: Path) -> str:
    """Return what a model file is called in the pool: its name, in characters that policies allow."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-.")[:64] or "model"


def _provider_lines(found: list[Found], gguf: list[Path]) -> list[str]:
    lines = ["providers:" if found else "providers: []"]
    for upstream in found:
        lines.append(f"  - name: {upstream.name}                 # {upstream.origin}")
        lines.append(f"    kind: {upstream.kind}")
        lines.append(f"    base_url: {upstream.base_url}")
        if upstream.api_key_env is not None:
            lines.append(f"    api_key_env: {upstream.api_key_env}   # the name, never the key")
    lines += ["", "models:", "  # boundary: inside means content sent there stays in your organisation's boundary."]
    if gguf:
        lines += ["  - provider: local", f"    model: {model_name(gguf[0])}"]
        lines += ["    boundary: inside", "    capabilities: [chat, streaming, json_object, json_schema]"]
        lines += ["    capability_rank: 0", _OWN_PRICE]
    for rank, (upstream, model) in enumerate((u, m) for u in found for m in u.models):
        is_local = upstream.boundary == "inside"
        lines.append(f"  - provider: {upstream.name}")
        lines.append(f"    model: {json.dumps(model)}")
        lines.append(f"    boundary: {upstream.boundary}")
        lines.append(f"    capabilities: [{_LOCAL_CAPABILITIES if is_local else _HOSTED_CAPABILITIES}]")
        lines.append(
            f"    capability_rank: {rank + 1}          # higher is more capable; counts until quality is measured"
        )
        if is_local:
            lines.append(_OWN_PRICE)
    return lines


_OWN_PRICE = '    price: {input_usd_per_mtok: 0, output_usd_per_mtok: 0, source: "assumed: the machine is paid for"}'

_EXAMPLE = [
    "# Nothing was found: no key in the environment, no Ollama, vLLM or llama.cpp on its usual port.",
    "# Uncomment and adapt one of these, then run `trimtab check`.",
    "providers: []",
    "# providers:",
    "#   - {name: ollama, kind: openai, base_url: http://127.0.0.1:11434/v1}",
    "#   - {name: openai, kind: openai, base_url: https://api.openai.com/v1, api_key_env: OPENAI_API_KEY}",
    "models: []",
    "# models:",
    "#   - {provider: ollama, model: qwen3:4b, boundary: inside}",
    "#   - {provider: openai, model: gpt-5-mini, boundary: outside}",
]
