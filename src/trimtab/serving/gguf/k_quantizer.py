"""llama.cpp's own quantizer, where one is installed: needed for K-quants, whose search for scales is not in numpy."""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, Protocol

from trimtab.core.errors import ConfigurationError, EngineError
from trimtab.serving.gguf.precision import FILE_TYPE_NUMBER, GGUF_TYPES, KQuant

PROGRAM: Final = "llama-quantize"
TIMEOUT_S: Final = 6 * 3600.0
"""A model of 70 billion parameters takes about half an hour on eight cores."""
_IN_PYTHON: Final = """\
import sys, llama_cpp
parameters = llama_cpp.llama_model_quantize_default_params()
parameters.ftype = int(sys.argv[3])
parameters.allow_requantize = True
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), parameters))
"""


class KQuantizer(Protocol):
    """Something of llama.cpp's that writes K-quants."""

    @property
    def name(self) -> str:
        """What is recorded as the method."""
        ...

    def quantize(self, source: Path, target: Path, to: KQuant) -> None:
        """Write ``target``.

        Raises:
            EngineError: it failed; the message has the last that it said.
        """
        ...


def find_k_quantizer(to: str) -> KQuantizer:
    """Return the program on the PATH, or the one in ``llama-cpp-python``.

    Raises:
        ConfigurationError: neither is installed.
    """
    program = shutil.which(PROGRAM)
    if program is not None:
        return _Program(program, to)
    if importlib.util.find_spec("llama_cpp") is not None:
        return _Package(to)
    raise ConfigurationError(
        f"{to} needs llama.cpp's own quantizer, and none is installed.",
        hint=f"Put {PROGRAM} on the PATH (a release of llama.cpp has it) or `pip install llama-cpp-python`; "
        f"without, {', '.join(GGUF_TYPES)} can be written.",
    )


class _Program:
    def __init__(self, path: str, to: str) -> None:
        self._path = path
        self.name = f"{PROGRAM} {to}"

    def quantize(self, source: Path, target: Path, to: KQuant) -> None:
        _run([self._path, "--allow-requantize", str(source), str(target), to.upper()], target)


class _Package:
    """In a process of its own, because a fault in native code ends a process."""

    def __init__(self, to: str) -> None:
        self.name = f"llama-cpp-python {to}"

    def quantize(self, source: Path, target: Path, to: KQuant) -> None:
        _run([sys.executable, "-c", _IN_PYTHON, str(source), str(target), str(FILE_TYPE_NUMBER[to])], target)


def _run(command: list[str], target: Path) -> None:
    with tempfile.TemporaryFile() as log:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise EngineError(f"{command[0]} did not quantize {command[-3]}: {exc}.") from exc
        log.seek(0)
        said = log.read().decode("utf-8", "replace").strip().splitlines()
    if done.returncode != 0 or not target.is_file():
        raise EngineError(
            f"{command[0]} ended with exit code {done.returncode}: {' / '.join(said[-3:]) or 'it said nothing'}.",
            hint="Rows of a very small model are no whole blocks of 256; q8_0 and q4_0 work for it.",
        )
