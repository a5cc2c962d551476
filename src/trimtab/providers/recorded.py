"""Answers from a file of recorded outcomes: real results and demos without a key, a network or a bill."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from trimtab.core import Api, Clock, SystemClock
from trimtab.core.errors import ConfigurationError, UpstreamTimeout
from trimtab.core.messages import WireRequest
from trimtab.gateway import UpstreamRequest, UpstreamResponse
from trimtab.providers.config import ProviderConfig
from trimtab.providers.recorded_answer import ChatAnswer, embeddings_body, error_body, outcome_headers
from trimtab.providers.recorded_outcomes import RecordedOutcome, RecordedOutcomes
from trimtab.providers.translate import asks_usage

_JSON = {"content-type": "application/json"}
_MAX_NAMED = 8


class RecordedProvider:
    """Finds the outcome by the call's prompt id, else by the text of its newest user message, and answers with it.

    Nothing is sent anywhere and nothing is generated. Score and cost travel in the headers
    ``x-trimtab-recorded-score`` and ``x-trimtab-recorded-cost-usd``.

    Args:
        config: ``path`` names the file.
        clock: Time for the ``created`` field of answers.

    Raises:
        ConfigurationError: the file cannot be used; the message names file and line.
    """

    is_recorded = True
    output_limit_field = "max_tokens"

    def __init__(self, config: ProviderConfig, *, clock: Clock | None = None) -> None:
        if config.path is None:
            raise ConfigurationError(f"provider {config.name!r} has no path.", hint="Name its file of outcomes.")
        self.name = config.name
        self._clock: Clock = clock or SystemClock()
        self._file = config.path.name
        self._outcomes = RecordedOutcomes.load(config.path)

    def __repr__(self) -> str:
        return f"RecordedProvider({self.name!r}, {self._file!r}, {len(self._outcomes)} outcomes)"

    def is_available(self, model: str) -> bool:
        """Return ``True``: a file is never too busy. What it does not hold is answered with 404."""
        return True

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Answer at once; a prompt or model that the file does not hold gives a 404 that says so.

        Raises:
            UpstreamTimeout: the deadline has passed already.
            InvalidRequest: the body cannot be read.
        """
        if time.monotonic() >= request.deadline_s:
            raise UpstreamTimeout(f"provider {self.name!r}, model {request.model!r}: the deadline has passed.")
        prompts = self._prompts(request)
        outcomes = [self._outcomes.find(prompt_id, request.model) for _, prompt_id in prompts if prompt_id is not None]
        found = [outcome for outcome in outcomes if outcome is not None and _fits(outcome, request.api)]
        if len(found) < len(prompts) or not prompts:
            return _Answer(404, _JSON, [error_body(request.api, self._missing(request, prompts))])
        return self._answer(request, found)

    async def aclose(self) -> None:
        """Do nothing: nothing is open."""

    def _prompts(self, request: UpstreamRequest) -> list[tuple[str, str | None]]:
        """Return for each prompt words that name it and hold none of its text, and its id if the file has it."""
        if request.prompt_id:
            return [(f"prompt {request.prompt_id!r}", request.prompt_id)]
        wire = WireRequest(request.api, request.body)
        texts, what = [wire.last_user_text], "the newest user message"
        if request.api is Api.EMBEDDINGS:
            what = "the input"
            if isinstance(given := wire.get("input"), list):
                texts = [text for text in given if isinstance(text, str)]
        return [(f"{what} ({len(text)} characters)", self._outcomes.prompt_id_of_text(text)) for text in texts]

    def _answer(self, request: UpstreamRequest, found: Sequence[RecordedOutcome]) -> UpstreamResponse:
        headers = outcome_headers(found)
        if request.api is Api.EMBEDDINGS:
            is_base64 = WireRequest(request.api, request.body).get("encoding_format") == "base64"
            body = embeddings_body(found, model=request.model, is_base64=is_base64)
            return _Answer(200, _JSON | headers, [body])
        answer = ChatAnswer(found[0], model=request.model, created_s=self._clock.now_us() // 1_000_000)
        if not request.is_stream:
            return _Answer(200, _JSON | headers, [answer.whole(request.api)])
        events = answer.events(request.api, with_usage=asks_usage(request))
        return _Answer(200, {"content-type": "text/event-stream"} | headers, events)

    def _missing(self, request: UpstreamRequest, prompts: Sequence[tuple[str, str | None]]) -> str:
        """Return why there is no answer: the prompt, the model, or what the outcome holds is missing."""
        what = "embedding" if request.api is Api.EMBEDDINGS else "outcome"
        for named, prompt_id in prompts:
            models = self._outcomes.models_of(prompt_id) if prompt_id is not None else []
            if not models:
                return (
                    f"{self._file} holds no recorded outcome for {named}; recorded answers exist for its prompts only."
                )
            if request.model not in models:
                return f"{self._file} holds {named} answered by {_listed(models)}, and not by {request.model!r}."
        return f"{self._file} holds no recorded {what} of {request.model!r} for this input."


class _Answer:
    """An answer that is there already, given out chunk by chunk."""

    def __init__(self, status: int, headers: Mapping[str, str], chunks: Iterable[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._chunks = iter(chunks)
        self._is_closed = False

    async def chunks(self) -> AsyncIterator[bytes]:
        while not self._is_closed and (chunk := next(self._chunks, None)) is not None:
            yield chunk
            await asyncio.sleep(0)  # other calls have their turn between two chunks

    async def aclose(self) -> None:
        self._is_closed = True


def _fits(outcome: RecordedOutcome, api: Api) -> bool:
    return api is not Api.EMBEDDINGS or outcome.embedding is not None


def _listed(models: Sequence[str]) -> str:
    named = ", ".join(models[:_MAX_NAMED])
    return named if len(models) <= _MAX_NAMED else f"{named} and {len(models) - _MAX_NAMED} more"
