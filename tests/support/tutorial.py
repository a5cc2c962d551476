"""Runs the blocks of a tutorial as a reader would: files are written, commands run, servers stay up.

A fenced block with a file name as its title is that file. `sh` blocks run in one shell session, in order; a block
titled "Terminal N" stays running, and one titled "Once" is set-up that the test provides.
"""

import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL
)
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Block:
    """One fenced block that a reader acts on."""

    language: str
    title: str
    text: str


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page in order, set-up and plain text left out."""
    found = [Block(m["language"], m["title"] or "", m["text"]) for m in _FENCE.finditer(page)]
    return [block for block in found if block.title != "Once" and (block.language == "sh" or block.title)]


@dataclass
class Reader:
    """A shell session that keeps its folder and its exported variables from block to block."""

    folder: Path
    environment: Mapping[str, str]
    replacements: Mapping[str, str]
    """Applied to blocks and to the YAML that commands wrote: ports and upstream addresses of the test."""
    ready_url: str
    outputs: list[str] = field(default_factory=list)
    """Standard output of each `sh` block that ended."""
    _servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self, blocks: Iterable[Block]) -> None:
        """Do what each block says.

        Raises:
            AssertionError: a command failed, with what it printed.
        """
        for block in blocks:
            text = self._replaced(block.text)
            if block.language != "sh":
                (self._current_folder() / block.title).write_text(text)
            elif block.title.startswith("Terminal"):
                self._start(text)
            else:
                self.outputs.append(self._run(text))
                self._adapt_files()

    def leave(self) -> None:
        """Press Ctrl-C in the other terminals."""
        for server in self._servers:
            os.killpg(server.pid, signal.SIGINT)
            server.wait(30)

    @property
    def _state(self) -> Path:
        return self.folder / ".shell-state"

    def _script(self, text: str) -> list[str]:
        before = f'if [ -f "{self._state}" ]; then . "{self._state}"; fi'
        return ["bash", "-euo", "pipefail", "-c", f"{before}\n{text}\n"]

    def _run(self, text: str) -> str:
        after = f'{{ export -p; printf "cd %q\\n" "$PWD"; }} > "{self._state}"'
        done = subprocess.run(
            self._script(f"{text}\n{after}"),
            cwd=self.folder,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _start(self, text: str) -> None:
        with (self.folder / "terminal.log").open("wb") as log:
            server = subprocess.Popen(
                self._script(text),
                cwd=self.folder,
                env=dict(self.environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._servers.append(server)
        _wait_until(lambda: server.poll() is not None or _answers(self.ready_url))
        assert server.poll() is None, (self.folder / "terminal.log").read_text()

    def _current_folder(self) -> Path:
        moved = re.findall(r"^cd (.+)$", self._state.read_text(), re.MULTILINE) if self._state.exists() else []
        return Path(moved[-1]) if moved else self.folder

    def _adapt_files(self) -> None:
        for path in self._current_folder().glob("*.yaml"):
            path.write_text(self._replaced(path.read_text()))

    def _replaced(self, text: str) -> str:
        """Put the test's addresses in, all at once and whole: a free port may be 41811, and a file is adapted again."""
        if not self.replacements:
            return text
        old = "|".join(map(re.escape, self.replacements))
        return re.sub(rf"(?<!\d)(?:{old})(?!\d)", lambda found: self.replacements[found[0]], text)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _wait_until(holds: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline_s, "the awaited condition did not come"
        time.sleep(0.05)
