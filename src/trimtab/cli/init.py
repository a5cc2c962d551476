"""``trimtab init``: write a configuration and a policy for what is here."""

import os
from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.output import counted, note, print_line
from trimtab.core.errors import ConfigurationError
from trimtab.policy import starter_policy
from trimtab.wiring import load_settings, pool_of
from trimtab.wiring.detection import config_text, detect, find_gguf


def run(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Look for keys, Ollama, vLLM, llama.cpp and GGUF files, and write trimtab.yaml and policy.yaml with comments."""
    config, policy = folder / "trimtab.yaml", folder / "policy.yaml"
    for path in (config, policy):
        if path.exists() and not force:
            raise ConfigurationError(f"{path} exists already.", hint="Use --force to replace it, or another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    found = detect(os.environ)
    gguf = [path.relative_to(folder) for path in find_gguf(folder)]
    config.write_text(config_text(found, gguf))
    policy.write_text(starter_policy(pool_of(load_settings(config, environment={}))))
    for upstream in found:
        note(f"found {upstream.name}: {upstream.origin} ({counted(len(upstream.models), 'model')})")
    if gguf:
        note(f"found {counted(len(gguf), 'GGUF file')}: {gguf[0]} is served")
    if not found and not gguf:
        note("found nothing that could serve: the configuration has examples to uncomment")
    print_line(f"wrote {config} and {policy}")
    note("next: `trimtab check`, `trimtab serve`, `trimtab keys create NAME`")
