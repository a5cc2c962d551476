"""Settings as they are read from a file."""

from pathlib import Path

from trimtab.wiring import load_settings

FILE = """
data_dir: data
policy_file: policy.yaml
providers:
  - {name: hosted, kind: openai, base_url: "https://api.example.com", api_key_file: hosted.key, ca_file: /etc/ca.pem}
  - {name: recorded, kind: recorded, path: outcomes.jsonl}
"""


def test_relative_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    (tmp_path / "trimtab.yaml").write_text(FILE)

    settings = load_settings(tmp_path / "trimtab.yaml", {})

    hosted, recorded = settings.providers
    assert (settings.data_dir, settings.policy_file) == (tmp_path / "data", tmp_path / "policy.yaml")
    assert (hosted.api_key_file, hosted.ca_file) == (tmp_path / "hosted.key", Path("/etc/ca.pem"))
    assert recorded.path == tmp_path / "outcomes.jsonl"
