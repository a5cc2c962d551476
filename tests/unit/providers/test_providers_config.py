"""What an administrator may configure as an upstream, and what is refused before anything is called."""

from typing import Any

import pytest
from pydantic import ValidationError

from trimtab.providers import ProviderConfig


def config_of(**fields: Any) -> ProviderConfig:
    return ProviderConfig.model_validate({"name": "p", "kind": "openai", "base_url": "http://127.0.0.1:1", **fields})


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com",
        "file:///etc/passwd",
        "//example.com",
        "https://",
        "https://user:secret@example.com",
        "https://example.com@evil.example",
        "https://example.com/v1#.openai.azure.com",
        "https://example.com/v1?x=1",
        "https://example.com/../admin",
        "https://example.com\\@evil.example",
        "https://example.com/v1\r\nx: y",
        "https://exa mple.com",
        "https://exämple.com",
        "https://example.com:0",
        "https://example.com:notaport",
    ],
)
def test_attack_9_a_base_url_that_could_lead_elsewhere_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config_of(base_url=url)
    assert "secret" not in str(caught.value)


def test_a_base_url_keeps_its_path_and_loses_its_last_slash() -> None:
    assert config_of(base_url="https://example.com:8443/a/b/").base_url == "https://example.com:8443/a/b"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"kind": "recorded", "base_url": None}, "needs `path`"),
        ({"path": "x.jsonl"}, "belongs to kind 'recorded'"),
        ({"base_url": None}, "needs `base_url`"),
        ({"api_key_env": "A", "api_key_file": "b"}, "not both"),
        ({"name": "Upper"}, "pattern"),
        ({"headers": {"Host": "x"}}, "set by the client itself"),
        ({"headers": {"x y": "1"}}, "characters HTTP does not allow"),
        ({"headers": {"x": "a\r\nb"}}, "line break"),
        ({"base_ulr": "typo"}, "Extra inputs"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused_with_the_reason(
    fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        config_of(**fields)


def test_attack_18_fixed_headers_may_hold_secrets_and_are_not_shown() -> None:
    assert "hush" not in repr(config_of(headers={"x-gateway-key": "hush"}))
    with pytest.raises(ValidationError) as caught:
        config_of(headers={"x-gateway-key": "hush\n"})
    assert "hush" not in str(caught.value)
