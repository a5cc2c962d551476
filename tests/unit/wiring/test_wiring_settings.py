"""Settings as they are read from a file."""

from pathlib import Path

import pytest

from trimtab.core.errors import ConfigurationError
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listen: {port: 99999}", "trimtab.yaml: listen.port: should be less than or equal to 65535, not 99999."),
        ("listen: {port: no-port}", "trimtab.yaml: listen.port: should be a whole number, not 'no-port'."),
        ("listen: 5", "trimtab.yaml: listen: should hold settings of its own."),
        ("a: 1\nproviders: [", "trimtab.yaml:2: not YAML: expected the node content, but found '<stream end>'."),
        ("listne: {port: 1}", "trimtab.yaml: listne: there is no such setting."),
        ("models: [{provider: a, model: b}]", "trimtab.yaml: model 'b' names provider 'a', which is not configured."),
    ],
)
def test_a_wrong_file_is_refused_with_place_value_and_rule(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "trimtab.yaml").write_text(text)

    with pytest.raises(ConfigurationError) as refused:
        load_settings(tmp_path / "trimtab.yaml", {}, {"listen.host": "127.0.0.1"})

    assert refused.value.message == f"{tmp_path}/{message}"


def test_a_file_that_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "trimtab.yaml").write_bytes(b"\x80\x00")

    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        load_settings(tmp_path / "trimtab.yaml", {})


def test_a_wrong_value_from_outside_the_file_is_refused_by_its_own_name() -> None:
    with pytest.raises(ConfigurationError, match=r"^TRIMTAB_PORT: listen\.port: should be a whole number, not 'abc'"):
        load_settings(None, {"TRIMTAB_PORT": "abc"})
    with pytest.raises(ConfigurationError, match=r"^command line: workers: should be greater than .* 1, not 0"):
        load_settings(None, {}, {"workers": 0})


def test_a_secret_in_a_refused_setting_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(None, {}, {"providers": [{"name": "a", "kind": "openai", "base_url": "x y", "api_key": "sk-1"}]})

    assert "sk-1" not in refused.value.message
