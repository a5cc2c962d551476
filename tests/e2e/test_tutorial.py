"""The five-minute tutorial, followed to the letter against a stand-in for OpenAI."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.support.service import environment, wait_until
from tests.support.tutorial import Reader, blocks_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/tutorials/five-minutes.md"
ANSWER = "A small rudder that turns the big one."


class _StandIn(BaseHTTPRequestHandler):
    """Answers every chat completion with the same sentence."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = json.dumps(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": asked["model"],
                "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 18, "completion_tokens": 9, "total_tokens": 27},
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def stand_in() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _StandIn) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
        thread.join()


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def _change_the_policy(folder: Path) -> None:
    """Step 7: an edit is in force soon, a wrong one is refused in the terminal with its line."""
    policy, terminal = folder / "my-gateway/policy.yaml", folder / "terminal.log"
    text = policy.read_text()
    policy.write_text(text.replace("400", "200"))
    wait_until(lambda: "policy file in force: first" in terminal.read_text(), timeout_s=5)
    policy.write_text(text.replace("max_output_tokens", "max_tokens"))
    wait_until(lambda: "policy.yaml:10:" in terminal.read_text(), timeout_s=5)


def test_the_five_minute_tutorial_does_what_it_says(stand_in: str, tmp_path: Path) -> None:
    data, control = _free_port(), _free_port()
    path = f"{ROOT / '.venv/bin'}:{environment()['PATH']}"
    reader = Reader(
        tmp_path,
        environment({"OPENAI_API_KEY": "sk-not-a-real-key", "PATH": path}),
        {"https://api.openai.com/v1": stand_in, "4180": data, "4181": control},
        f"http://127.0.0.1:{data}/readyz",
    )
    try:
        reader.follow(blocks_of(PAGE.read_text()))
        _change_the_policy(tmp_path)
    finally:
        reader.leave()

    terminal = (tmp_path / "terminal.log").read_text()
    assert f"http://127.0.0.1:{data}/v1" in terminal
    assert terminal.count("Admin secret") == 1
    answer, model, call_id = reader.outputs[-2].splitlines()
    calls_and_reason = reader.outputs[-1]
    assert answer == ANSWER
    assert model.startswith("openai:")
    assert call_id in calls_and_reason
    assert model in calls_and_reason
    assert "short-answers" in calls_and_reason
