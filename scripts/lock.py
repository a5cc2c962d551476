"""Write the hash-pinned locks: requirements/core.lock (the demo) and requirements/dev.lock (everything but PyTorch).

PyTorch stands in requirements/torch.txt: its builds differ from machine to machine, and so do their hashes.
"""

import subprocess
import sys
from pathlib import Path

LOCKS = {
    "core.lock": ["--extra=serving", "--group=build"],
    "dev.lock": [
        *(f"--extra={name}" for name in ("cel", "eval", "parquet", "postgres", "serving", "stats")),
        *(f"--group={name}" for name in ("test", "docs", "build")),
    ],
}


def main() -> int:
    """Resolve for every supported platform and Python with uv, which must be installed."""
    root = Path(__file__).resolve().parent.parent
    for name, options in LOCKS.items():
        command = [
            sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version=3.11",
            "--generate-hashes", "--no-emit-index-url", "--no-header", "--quiet", *options,
            f"--output-file=requirements/{name}",
        ]  # fmt: skip
        subprocess.run(command, cwd=root, check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
