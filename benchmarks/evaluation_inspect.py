"""Inspect AI as a contender of the evaluation benchmark; runs in the environment where Inspect is installed.

``python evaluation_inspect.py PORT N_CASES N_CONCURRENT`` prints the CPU seconds of one evaluation.
"""

import json
import resource
import sys
import tempfile
import time
from typing import Any


def evaluate(port: int, n_cases: int, n_concurrent: int) -> None:
    """Run one task over the mock, graded by Inspect's own ``includes``."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import GenerateConfig, get_model
    from inspect_ai.scorer import includes

    samples = [
        Sample(input=f"chunks=20 gap_us=0 Say that all is well, case {number}.", target="All is well.", id=str(number))
        for number in range(n_cases)
    ]
    model = get_model(
        "openai-api/mock/mock",
        base_url=f"http://127.0.0.1:{port}/v1",
        api_key="none",
        config=GenerateConfig(max_connections=n_concurrent, temperature=0, max_tokens=256),
    )
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as logs:
        found: list[Any] = eval(  # Any: Inspect's own records
            Task(dataset=MemoryDataset(samples), scorer=includes()),
            model=model,
            log_dir=logs,
            display="none",
            max_samples=n_concurrent,
        )
    assert found[0].status == "success", found[0].error
    assert found[0].results.scores[0].metrics["accuracy"].value == 1.0


def cpu_s() -> float:
    """Return the CPU seconds of this process, its threads and its ended children."""
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in every)


if __name__ == "__main__":
    port, n_cases, n_concurrent = map(int, sys.argv[1:4])
    evaluate(port, 32, n_concurrent)  # imports and first connections
    started_cpu_s, started_s = cpu_s(), time.monotonic()
    evaluate(port, n_cases, n_concurrent)
    print(json.dumps({"cpu_s": cpu_s() - started_cpu_s, "wall_s": time.monotonic() - started_s}))
