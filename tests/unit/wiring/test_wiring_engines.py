"""Engines among the settings, and the board by which workers know them."""

import stat
from pathlib import Path

import msgspec
import pytest

from trimtab.core.errors import ConfigurationError
from trimtab.wiring import load_settings
from trimtab.wiring.engine_board import EngineBoard, EngineEntry

ENTRY = EngineEntry(base_url="http://127.0.0.1:1/v1", has_key=True, max_connections=4, body_fields={"m": {"a": 1}})

CONFIG = """
engines:
  - {name: local, kind: llama_cpp, path: models/tiny.gguf, adapters: [{name: notes, path: models/notes.gguf}]}
providers: [%s]
models: [{provider: local, model: %s}]
"""


def test_an_engine_is_a_provider_and_its_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "trimtab.yaml"
    path.write_text(CONFIG % ("", "notes"))
    (engine,) = load_settings(path, environment={}).engines
    assert engine.path == tmp_path / "models/tiny.gguf"
    assert engine.adapters[0].path == tmp_path / "models/notes.gguf"
    assert engine.model_names == ("tiny", "notes")


@pytest.mark.parametrize(
    ("provider", "model", "rule"),
    [
        ("{name: local, kind: openai, base_url: 'http://127.0.0.1:1'}", "tiny", "'local' is listed twice"),
        ("", "other", "'other' is not served by engine 'local', which has tiny, notes"),
    ],
)
def test_an_engine_that_contradicts_the_pool_is_refused(tmp_path: Path, provider: str, model: str, rule: str) -> None:
    path = tmp_path / "trimtab.yaml"
    path.write_text(CONFIG % (provider, model))
    with pytest.raises(ConfigurationError, match=rule):
        load_settings(path, environment={})


def test_what_one_board_writes_another_one_reads_once(tmp_path: Path) -> None:
    writer, reader = EngineBoard(tmp_path / "run"), EngineBoard(tmp_path / "run")
    assert not reader.refresh()
    writer.write_key("local", "secret")
    writer.write({"local": ENTRY})
    assert (reader.refresh(), reader.refresh()) == (True, False)
    assert reader.entries == {"local": ENTRY}
    writer.write({"local": msgspec.structs.replace(ENTRY, phase="ready")})
    assert reader.refresh()
    assert reader.entries["local"].is_ready
    assert stat.S_IMODE(reader.key_file("local").stat().st_mode) == 0o600
    writer.remove()
    assert reader.refresh()
    assert (reader.entries, list((tmp_path / "run").iterdir())) == ({}, [])


def test_a_board_that_is_none_is_refused(tmp_path: Path) -> None:
    board = EngineBoard(tmp_path)
    (tmp_path / "engines.json").write_text("[]")
    with pytest.raises(ConfigurationError, match="is not a board of engines"):
        board.refresh()
