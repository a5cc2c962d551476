"""Logs as Inspect AI writes them, made by hand after its documented schema."""

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

Json = dict[str, Any]  # Any: JSON of another tool


def header(model: str = "openai/gpt-4o", task: str = "arithmetic", **fields: object) -> Json:
    """Return a log without its samples."""
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": task,
            "created": "2026-01-02T03:04:05+00:00",
            "model": model,
            "dataset": {"name": task, "samples": 2},
            "config": {"epochs": 1},
        },
        "plan": {"name": "plan", "steps": [], "config": {"temperature": 0.0}},
        "results": {"total_samples": 2, "scores": [{"name": "match", "scorer": "match", "metrics": {}}]},
        "stats": {"started_at": "2026-01-02T03:04:06+00:00", "model_usage": {}},
        **fields,
    }


def sample(sample_id: str | int, value: object = "C", *, epoch: int = 1, **fields: object) -> Json:
    """Return one sample; what it asks depends on its id alone."""
    question = f"What is {sample_id} + 1?"
    said = {"role": "assistant", "content": f"answer {sample_id}", "source": "generate"}
    return {
        "id": sample_id,
        "epoch": epoch,
        "input": question,
        "target": f"target {sample_id}",
        "messages": [{"role": "user", "content": question, "source": "input"}, said],
        "output": {
            "model": "gpt-4o",
            "choices": [{"message": said, "stop_reason": "stop"}],
            "usage": {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12},
            "time": 0.5,
        },
        "scores": {"match": {"value": value, "answer": f"answer {sample_id}", "explanation": "as graded"}},
        "metadata": {"category": "even"},
        **fields,
    }


def write_json_log(path: Path, head: Mapping[str, object], samples: Sequence[Json]) -> Path:
    """Write a log as one document, with ``NaN`` where a score is none."""
    path.write_text(json.dumps({**head, "samples": samples}))
    return path


def write_eval_log(path: Path, head: Mapping[str, object], samples: Sequence[Json], *, zstd: bool = False) -> Path:
    """Write a log as an archive; with zstd as newer versions do, which Python's ``zipfile`` before 3.14 cannot."""
    members = {"_journal/start.json": {"version": 2, "eval": head["eval"], "plan": head["plan"]}, "header.json": head}
    members |= {f"samples/{each['id']}_epoch_{each['epoch']}.json": each for each in samples}
    if zstd:
        path.write_bytes(_zstd_archive({name: json.dumps(content).encode() for name, content in members.items()}))
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, json.dumps(content))
    return path


def _zstd_archive(members: Mapping[str, bytes]) -> bytes:
    """Return a ZIP archive with compression method 93, after PKWARE's APPNOTE 6.3.10, sections 4.3.7 to 4.3.16."""
    body, directory = b"", b""
    for name, content in members.items():
        packed = zstandard.compress(content)
        sizes = struct.pack("<III", zlib.crc32(content), len(packed), len(content))
        common = struct.pack("<HHHHH", 63, 0, 93, 0, 0) + sizes + struct.pack("<HH", len(name), 0)
        directory += b"PK\x01\x02" + struct.pack("<H", 63) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + common + name.encode() + packed
    ending = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + ending
