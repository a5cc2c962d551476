"""A real Trimtab process for tests: `trimtab serve` on free ports, in a folder of its own."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

READY_TIMEOUT_S = 60.0
POLICY = """
policy: test
organisation:
  sensitivity: public
"""


@dataclass
class Answer:
    """One HTTP answer, whatever its status."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """A running process."""

    folder: Path
    process: subprocess.Popen[str]
    url: str = ""
    control_url: str = ""
    admin_secret: str | None = None
    secret: str | None = None
    """A data-plane key, when the service asks for keys."""
    log: Path = field(default_factory=Path)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            self.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.close()

    def make_room(self) -> None:
        """End what `max_file_bytes` began."""
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, unlimited)

    def close(self) -> None:
        """Close our end of its output."""
        if self.process.stdout is not None:
            self.process.stdout.close()

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        control: bool = False,
        timeout_s: float = 30.0,
    ) -> Answer:
        """Send one request; any status is an answer."""
        base = self.control_url if control else self.url
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"content-type": "application/json", **self._credentials(control=control), **(headers or {})}
        request = urllib.request.Request(base + path, data=raw, method=method, headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
        except urllib.error.HTTPError as exc:
            with exc:
                return Answer(exc.code, {k.lower(): v for k, v in exc.headers.items()}, exc.read())

    def chat(self, model: str = "auto", text: str = "Hello", **extra: Any) -> Answer:
        headers = extra.pop("headers", None)
        body = {"model": model, "messages": [{"role": "user", "content": text}], **extra}
        return self.ask("POST", "/v1/chat/completions", body, headers)

    def _credentials(self, *, control: bool) -> dict[str, str]:
        secret = self.admin_secret if control else self.secret
        return {} if secret is None else {"authorization": f"Bearer {secret}"}

    def cli(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        return run_cli(self.folder, *arguments, expect=expect)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process's environment without anything that could configure Trimtab or spend money."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TRIMTAB_") and not k.endswith("_API_KEY")}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "160", **(extra or {})}


def run_cli(
    folder: Path, *arguments: str, expect: int | None = 0, env: Mapping[str, str] | None = None, timeout_s: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "trimtab", *arguments],
        cwd=folder,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if expect is not None:
        assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def write_config(
    folder: Path,
    *,
    providers: Sequence[Mapping[str, Any]],
    models: Sequence[Mapping[str, Any]],
    policy: str = POLICY,
    **settings: Any,
) -> None:
    """Write trimtab.yaml and policy.yaml."""
    document = {
        "data_dir": "data",
        "policy_file": "policy.yaml",
        "listen": {"port": 0},
        "control": {"port": 0},
        "auth": "none",
        "providers": list(providers),
        "models": list(models),
        **settings,
    }
    (folder / "trimtab.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (folder / "policy.yaml").write_text(policy)


@contextmanager
def running(
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    key_options: Sequence[str] = (),
    max_file_bytes: int | None = None,
) -> Iterator[Service]:
    """Start the service configured in ``folder`` and stop it at the end."""
    service = start(folder, env=env, max_file_bytes=max_file_bytes)
    try:
        document = yaml.safe_load((folder / "trimtab.yaml").read_text())
        if document.get("auth") != "none":
            made = service.cli("keys", "create", "test-key", "--app", "default", *key_options, "--json")
            service.secret = json.loads(made.stdout)["secret"]
            wait_until(lambda: service.ask("GET", "/v1/models").status == 200)
            if document.get("workers", 1) > 1:
                time.sleep(1.0)  # one worker knows the key; the others do within the promised second
        yield service
    finally:
        if service.process.poll() is None:
            service.stop()
        service.close()


def start(folder: Path, *, env: Mapping[str, str] | None = None, max_file_bytes: int | None = None) -> Service:
    """Start `trimtab serve` and wait until it announces its addresses.

    `max_file_bytes` lets no file of the process grow beyond it, which is a full disk without the disk.
    """
    log = folder / "serve.log"

    def limit_files() -> None:
        if max_file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, resource.RLIM_INFINITY))

    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "trimtab", "serve", "--json"],
            cwd=folder,
            env=environment(env),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            preexec_fn=limit_files,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        raise AssertionError(f"serve ended with {process.returncode}:\n{log.read_text()}")
    said = json.loads(line)
    service = Service(folder, process, said["url"], said["control_url"], said.get("admin_secret"), log=log)
    wait_until(lambda: _is_ready(service), timeout_s=READY_TIMEOUT_S)
    return service


def _is_ready(service: Service) -> bool:
    try:
        return service.ask("GET", "/readyz", timeout_s=2).status == 200
    except OSError:
        return False


def wait_until(holds: Any, timeout_s: float = 10.0) -> None:
    """Wait for a condition; fail when it does not come."""
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, "the awaited condition did not come"
        time.sleep(0.02)


def mock_config(folder: Path, mock_url: str, models: Sequence[Mapping[str, Any]], **settings: Any) -> None:
    """Write the configuration of a gateway in front of the mock upstream, priced at $1 and $2 per million tokens."""
    price = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "2", "source": "test"}
    everything = ["chat", "streaming", "tools", "vision", "json_object", "json_schema", "logprobs", "embeddings"]
    write_config(
        folder,
        providers=[
            {"name": "mock", "kind": "openai", "base_url": f"{mock_url}/v1", "retries": {"max_retries": 0}},
            {"name": "claude", "kind": "anthropic", "base_url": f"{mock_url}/v1", "retries": {"max_retries": 0}},
        ],
        models=[
            {
                "provider": "mock",
                "boundary": "inside",
                "capabilities": everything,
                "apis": ["chat_completions", "messages", "embeddings"],
                "price": price,
                **m,
            }
            for m in models
        ],
        **settings,
    )
