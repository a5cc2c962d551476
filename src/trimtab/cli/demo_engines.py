"""The demo's engines: waiting until they answer, and asking one for an evaluation, which is no traffic."""

import asyncio
import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from trimtab.core.errors import EngineError
from trimtab.evaluation import Answer, Ask, Case
from trimtab.lab import CHAT_PATH, read_completion
from trimtab.wiring import Settings, board_of, engine_rows

READY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0
MAX_RESTARTS = 3
"""An engine that is down after so many starts is not waited for any longer."""
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The engines of a running gateway."""

    settings: Settings
    is_running: Callable[[], bool]
    """Whether the gateway's process is alive."""

    def wait_ready(self, say: Callable[[str], None]) -> None:
        """Return once every engine answers.

        Args:
            say: Told which ones are waited for, now and then.

        Raises:
            EngineError: one is down again and again, or does not answer in time.
        """
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while waiting := [row for row in engine_rows(self.settings) if row.state != "ready"]:
            first = next((row for row in waiting if row.n_restarts >= MAX_RESTARTS), waiting[0])
            is_lost = first.state == "down" and first.n_restarts >= MAX_RESTARTS
            if is_lost or not self.is_running() or time.monotonic() > deadline_s:
                raise EngineError(
                    f"Engine {first.engine!r} is {first.state}: {first.reason or 'it does not answer.'}",
                    hint=f"Its log is {self.settings.data_dir / 'logs' / f'engine-{first.engine}.log'}.",
                )
            say(f"waiting for {', '.join(row.engine for row in waiting)}")
            time.sleep(_POLL_S)

    def asking(self, engine: str, options: Mapping[str, float]) -> Ask:
        """Return how to put a case to an engine itself, past the gateway: the journal gets no call of it.

        Args:
            engine: Whose base model.
            options: Fields of every request, as the traffic has them.
        """

        async def ask(case: Case) -> Answer:
            body = {"messages": [msgspec.to_builtins(each) for each in case.messages], **options}
            return await asyncio.to_thread(self._asked, engine, body)

        return ask

    def _asked(self, engine: str, body: Mapping[str, object]) -> Answer:
        """Ask; an engine that went down meanwhile is asked once more after it came back."""
        try:
            return self._post(engine, body)
        except (OSError, http.client.HTTPException, EngineError):
            self.wait_ready(lambda text: None)
            try:
                return self._post(engine, body)
            except (OSError, http.client.HTTPException) as exc:
                raise EngineError(f"Engine {engine!r} gave no answer: {exc}.") from exc

    def _post(self, engine: str, body: Mapping[str, object]) -> Answer:
        board = board_of(self.settings)
        board.refresh()
        entry = board.entries.get(engine)
        if entry is None:
            raise EngineError(f"Engine {engine!r} is not running.")
        address = urlsplit(entry.base_url)
        headers = {"content-type": "application/json"}
        if entry.has_key:
            headers["authorization"] = f"Bearer {board.key_file(engine).read_text()}"
        fields = next(iter(entry.body_fields.values()), {})
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=ANSWER_TIMEOUT_S)
        started_s = time.monotonic()
        try:
            connection.request("POST", CHAT_PATH, msgspec.json.encode({**body, **fields}), headers)
            response = connection.getresponse()
            said = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise EngineError(f"Engine {engine!r} answered {response.status}: {said[:300].decode('utf-8', 'replace')}")
        answer = read_completion(said, is_stream=False)
        return Answer(
            text=answer.text,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            latency_ms=1000 * (time.monotonic() - started_s),
        )
