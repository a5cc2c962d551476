"""Write docs/reference/errors.md: every error code with its statuses and meaning, from the code."""

import inspect
from collections.abc import Iterator

import msgspec
from generated import ROOT, table, write_or_check

from trimtab.core import Api
from trimtab.core.errors import TrimtabError
from trimtab.server.errors import body_of, status_of

PAGE = ROOT / "docs/reference/errors.md"

_HEAD = """\
# Error codes

Written by `scripts/error_codes.py` from `trimtab.core.errors` and `trimtab.server.errors`; do not edit.

Over HTTP an error has the form of the API that was called. OpenAI's routes answer with `error.message`, `error.type`,
`error.param` and `error.code`; Anthropic's with `error.type` and `error.message`. The message names the value, where it
came from and the rule it broke, and ends with the next step. A failed call that was recorded carries its
`x-trimtab-call-id`, which `trimtab explain` takes.

`error.code` and the statuses are stable: scripts may rely on them.
"""

_TAIL = """\
## Exit codes of the command

| Code | Means |
| --- | --- |
| 0 | done |
| 1 | done, and the answer is no: a gate failed, a policy has findings, an audit chain is broken |
| 2 | usage or configuration: nothing was tried |
| 3 | something outside failed: a provider, the database, the disk |

An expected failure prints two lines on stderr, `error:` with what went wrong and `hint:` with what to do. A traceback
is a bug in Trimtab: please report it.
"""


def main() -> int:
    """Write or check the page."""
    rows = [_row(kind) for kind in _kinds(TrimtabError)]
    header = ("Code", "Status", "OpenAI type", "Anthropic type", "Means")
    return write_or_check(PAGE, "\n".join([_HEAD, table(header, rows), "", _TAIL]))


def _kinds(kind: type[TrimtabError]) -> Iterator[type[TrimtabError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.code != kind.code:  # a finer type with its parent's code is an inner matter
            yield from _kinds(child)


def _row(kind: type[TrimtabError]) -> tuple[str, ...]:
    error = kind("")
    openai = msgspec.json.decode(body_of(error, Api.CHAT_COMPLETIONS))["error"]["type"]
    anthropic = msgspec.json.decode(body_of(error, Api.MESSAGES))["error"]["type"]
    means = "A fault inside Trimtab; its log has the details." if kind is TrimtabError else _first_sentence(kind)
    return f"`{kind.code}`", str(status_of(error)), f"`{openai}`", f"`{anthropic}`", means


def _first_sentence(kind: type[TrimtabError]) -> str:
    return (inspect.getdoc(kind) or "").split("\n\n")[0].replace("``", "`").replace("\n", " ")


if __name__ == "__main__":
    raise SystemExit(main())
