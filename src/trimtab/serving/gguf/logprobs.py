"""What llama.cpp says the next token's probabilities are."""

import contextlib
import http.client
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from trimtab.core.errors import EngineError, ModelFileInvalid
from trimtab.serving.gguf.description import check_adapter, check_servable, read_adapter, read_gguf
from trimtab.serving.gguf.logprob_host import LogprobAnswer, LogprobSpec
from trimtab.serving.gguf.needed import require

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

REQUEST_TIMEOUT_S: Final = 600.0
STOP_S: Final = 10.0
FORCED: Final = 1e6
"""Added to a token's logit so that it is chosen; what is reported is its probability before that."""

_Answer = TypeVar("_Answer")


class _Choice(msgspec.Struct, frozen=True):
    id: int
    logprob: float
    top_logprobs: list["_Choice"] = []


class _Completion(msgspec.Struct, frozen=True):
    completion_probabilities: list[_Choice] = []
    """Missing when the chosen token ends the answer, or is part of a character."""


class _Tokens(msgspec.Struct, frozen=True):
    tokens: list[int]


class LlamaCpp:
    """A model loaded by llama.cpp, to be asked for probabilities. Made by :func:`load`."""

    def __init__(self, connection: http.client.HTTPConnection, api_key: str, n_vocabulary: int) -> None:
        self._connection = connection
        self._headers = {"content-type": "application/json", "authorization": f"Bearer {api_key}"}
        self.n_vocabulary = n_vocabulary
        self._plain = self.tokens_of("a")[-1]

    def tokens_of(self, text: str) -> list[int]:
        """Return the tokens of a text, with those that the model wants around it; special ones are recognised."""
        body = {"content": text, "add_special": True, "parse_special": True}
        return self._ask("/tokenize", body, _Tokens).tokens

    def next_logprobs(self, tokens: Sequence[int]) -> "npt.NDArray[np.float64]":
        """Return the natural logarithm of every token's probability after ``tokens``, by id: (n_vocabulary,)."""
        import numpy as np

        choice = self._choose(self._plain, tokens, self.n_vocabulary)
        if choice is None:
            raise EngineError("llama.cpp returned no probabilities.")
        logprobs = np.full(self.n_vocabulary, -np.inf)
        for one in choice.top_logprobs:
            logprobs[one.id] = one.logprob
        return logprobs

    def logprob_of(self, token: int, tokens: Sequence[int]) -> float:
        """Return the natural logarithm of one token's probability after ``tokens``; one number travels, not all."""
        choice = self._choose(token, tokens, 1)
        return float(self.next_logprobs(tokens)[token]) if choice is None else choice.logprob

    def _choose(self, token: int, tokens: Sequence[int], n_probs: int) -> _Choice | None:
        body = {
            "prompt": list(tokens),
            "n_predict": 1,
            "n_probs": n_probs,
            "temperature": 0.0,
            "logit_bias": [[token, FORCED]],
            "cache_prompt": True,
        }
        chosen = self._ask("/completion", body, _Completion).completion_probabilities
        if chosen and chosen[0].id != token:
            raise EngineError(f"llama.cpp chose token {chosen[0].id} where only {token} was possible.")
        return chosen[0] if chosen else None

    def _ask(self, path: str, body: dict[str, object], kind: type[_Answer]) -> _Answer:
        try:
            self._connection.request("POST", path, msgspec.json.encode(body), self._headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise EngineError(f"llama.cpp ended while it was measured: {type(exc).__name__}.") from exc
        if answer.status != 200:
            raise EngineError(
                f"llama.cpp answered {path} with {answer.status}: {said[:200].decode('utf-8', 'replace')}"
            )
        try:
            return msgspec.json.decode(said, type=kind)
        except msgspec.MsgspecError as exc:  # a model whose logits are no numbers gives null
            raise EngineError(f"llama.cpp's answer to {path} cannot be read: {exc}.") from exc


@contextmanager
def load(
    path: Path, *, adapter: Path | None = None, context_tokens: int = 512, threads: int | None = None
) -> Iterator[LlamaCpp]:
    """Load a model file, with an adapter over it, in a process that ends with the block.

    Args:
        path: The model.
        adapter: A LoRA adapter made for it.
        context_tokens: Longest text that will be asked about.
        threads: Processor threads; left out, llama.cpp decides.

    Raises:
        ModelFileInvalid: the file cannot be served, or the adapter is for another base.
        EngineError: llama.cpp refused it or ended.
    """
    require("numpy", "xllamacpp")
    model = read_gguf(path)
    check_servable(model)
    if adapter is not None:
        check_adapter(model, read_adapter(adapter))
    if model.n_vocabulary is None:
        raise ModelFileInvalid(f"{path} does not say how many tokens it knows.")
    spec = LogprobSpec(
        path=str(path),
        api_key=secrets.token_urlsafe(16),
        context_tokens=context_tokens + 8,
        adapter=None if adapter is None else str(adapter),
        threads=threads,
    )
    with tempfile.TemporaryFile() as log, _child(spec, log) as address:
        where = urlsplit(address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=REQUEST_TIMEOUT_S)
        try:
            yield LlamaCpp(connection, spec.api_key, model.n_vocabulary)
        finally:
            connection.close()


@contextmanager
def _child(spec: LogprobSpec, log: IO[bytes]) -> Iterator[str]:
    command = [sys.executable, "-m", "trimtab.serving.gguf.logprob_host"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(msgspec.json.encode(spec) + b"\n")
                child.stdin.flush()
            yield _address(spec, child.stdout.readline(), log)
        finally:
            _end(child)


def _address(spec: LogprobSpec, line: bytes, log: IO[bytes]) -> str:
    try:
        answer = msgspec.json.decode(line, type=LogprobAnswer)
    except msgspec.MsgspecError:
        answer = LogprobAnswer(problem="it ended without a word")
    if answer.address:
        return answer.address
    log.seek(0)
    said = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    raise EngineError(f"llama.cpp cannot load {spec.path}: {' / '.join([answer.problem, *said[-3:]])}.")


def _end(child: "subprocess.Popen[bytes]") -> None:
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.close()
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
