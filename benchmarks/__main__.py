"""Run one benchmark: ``python -m benchmarks [NAME] [OPTIONS]``; every module here with a ``main`` has a name."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

DEFAULT = "gateway"


def main() -> int:
    """Hand the options to the benchmark named first, or to the gateway's."""
    arguments = sys.argv[1:]
    name = DEFAULT if not arguments or arguments[0].startswith("-") else arguments.pop(0)
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    runnable = [each for each in known if hasattr(importlib.import_module(f"benchmarks.{each}"), "main")]
    if name not in runnable:
        print(f"error: no benchmark {name!r}.\nhint:  Known: {', '.join(runnable)}.", file=sys.stderr)
        return 2
    run: Callable[[list[str]], int] = importlib.import_module(f"benchmarks.{name}").main
    return run(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
