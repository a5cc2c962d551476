"""What is measured: floors, Trimtab with everything on and with one thing off, and peers that are installed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

MODEL = "mock-small"
"""What the upstream calls its model."""


@dataclass(frozen=True)
class Running:
    """How to start a prepared system and how to speak to it."""

    command: list[str]
    model: str = MODEL
    headers: dict[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class System:
    """One line of the table."""

    name: str
    prepare: Callable[[Path, int, int], Running]
    """Writes what is needed into a folder, given the system's port and the upstream's."""
    needs: str | None = None
    """Command that must be on the PATH; the system is listed as absent without it."""
    kind: str = "peer"
    """``floor``, ``ours``, ``feature`` (ours with one thing changed) or ``peer``."""

    @property
    def is_installed(self) -> bool:
        """Whether it can be started here."""
        return self.needs is None or shutil.which(self.needs) is not None


def floors() -> list[System]:
    """Return the two relays of :mod:`benchmarks.floors`."""

    def relay(kind: str) -> Callable[[Path, int, int], Running]:
        return lambda _, port, upstream: Running(
            [sys.executable, "-m", "benchmarks.floors", kind, str(port), str(upstream)], environment=_FROM_HERE
        )

    return [
        System("floor: raw httptools relay", relay("raw"), kind="floor"),
        System("floor: bare ASGI on uvicorn", relay("asgi"), kind="floor"),
    ]


# Ours

_SETTINGS: dict[str, object] = {
    "data_dir": "data",
    "policy_file": "policy.yaml",
    "log_level": "warning",
}
_POLICY: dict[str, object] = {
    "policy": "benchmark",
    "organisation": {"sensitivity": "internal", "store": "metadata", "budget": {"per_day_usd": 1000}},
    "apps": {"bench": {"budget": {"per_month_usd": 5000}}},
    "rules": [
        {"id": "no-large", "when": {"app": "bench"}, "then": {"models": {"deny": ["mock-large"]}}},
        {"id": "short", "when": {"app": "bench", "n_tools": 0}, "then": {"max_output_tokens": 4096}},
    ],
}
_PLAIN_POLICY: dict[str, object] = {"policy": "plain", "organisation": {"sensitivity": "public", "store": "metadata"}}


def trimtab() -> System:
    """Return Trimtab with key check, policy, decisions, budgets, journal and cost on."""
    return System("trimtab", _ours({}, _POLICY), kind="ours")


def features() -> list[System]:
    """Return Trimtab with one thing changed, to show what the thing costs."""
    stored = {**_POLICY, "organisation": {"sensitivity": "internal", "store": "redacted"}}
    return [
        System("... without keys", _ours({"auth": "none"}, _POLICY), kind="feature"),
        System("... without journal", _ours({"journal": {"enabled": False}}, _POLICY), kind="feature"),
        System("... without rules and budgets", _ours({}, _PLAIN_POLICY), kind="feature"),
        System("... with redacted bodies kept", _ours({}, stored), kind="feature"),
        System("... with fsync on every flush", _ours({"journal": {"durability": "fsync"}}, _POLICY), kind="feature"),
    ]


def _ours(changes: dict[str, object], policy: dict[str, object]) -> Callable[[Path, int, int], Running]:
    def prepare(folder: Path, port: int, upstream: int) -> Running:
        price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 4}
        names = (MODEL, "mock-large")
        settings = {
            **_SETTINGS,
            "listen": {"port": port},
            "control": {"port": 0},
            "providers": [{"name": "mock", "kind": "openai", "base_url": f"http://127.0.0.1:{upstream}/v1"}],
            "models": [{"provider": "mock", "model": name, "boundary": "inside", "price": price} for name in names],
            **changes,
        }
        (folder / "trimtab.yaml").write_text(yaml.safe_dump(settings))
        (folder / "policy.yaml").write_text(yaml.safe_dump(policy))
        command = [sys.executable, "-m", "trimtab"]
        serve = [*command, "serve", "--config", "trimtab.yaml"]
        headers = {} if changes.get("auth") == "none" else {"authorization": f"Bearer {_make_key(command, folder)}"}
        return Running(serve, model="auto", headers=headers)

    return prepare


def _make_key(command: list[str], folder: Path) -> str:
    """Return the secret of a new key; the first command in a folder also creates its database."""
    arguments = ["keys", "create", "bench", "--app", "bench", "--config", "trimtab.yaml", "--json"]
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"no key: {done.stderr}")
    return str(json.loads(done.stdout)["secret"])


# Peers, by their public commands and their own defaults, one worker each


def peers() -> list[System]:
    """Return other gateways and proxies, installed or not."""
    return [
        System("nginx", _nginx, needs="nginx"),
        System("Envoy", _envoy, needs="envoy"),
        System("LiteLLM", _litellm, needs="litellm"),
    ]


def _nginx(folder: Path, port: int, upstream: int) -> Running:
    (folder / "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port};
    keepalive_requests 1000000;
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
""")
    return Running(["nginx", "-p", str(folder), "-c", "nginx.conf"])


_ENVOY = "type.googleapis.com/envoy.extensions"


def _envoy(folder: Path, port: int, upstream: int) -> Running:
    manager = {
        "@type": f"{_ENVOY}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "route_config": {
            "virtual_hosts": [
                {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "model"}}]}
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{_ENVOY}.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    cluster = {
        "name": "model",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "model",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(upstream)}}]}],
        },
    }
    listener = {"address": _address(port), "filter_chains": [chain]}
    document = {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
    (folder / "envoy.yaml").write_text(yaml.safe_dump(document))
    return Running(["envoy", "-c", "envoy.yaml", "--concurrency", "1", "-l", "warn"])


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _litellm(folder: Path, port: int, upstream: int) -> Running:
    target = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "none"}
    document = {"model_list": [{"model_name": MODEL, "litellm_params": target}]}
    (folder / "litellm.yaml").write_text(yaml.safe_dump(document))
    command = ["litellm", "--config", "litellm.yaml", "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        # It refuses to start without a key; ours has one, so this flatters it.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    return Running(command, environment=environment)


_FROM_HERE = {"PYTHONPATH": os.pathsep.join([path or "." for path in sys.path])}
"""The benchmark's own modules, for programs started in another folder."""
