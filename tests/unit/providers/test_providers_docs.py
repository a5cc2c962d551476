"""The pages about providers say what the code does."""

import re
from pathlib import Path

import pytest
import yaml
from tests.support.providers import ask, provider_of

from trimtab.catalog import ModelConfig
from trimtab.providers import ProviderConfig, translate_to_chat, translate_to_messages

DOCS = Path(__file__).resolve().parents[3] / "docs"


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", _blocks("how-to/connect-a-provider.md", "yaml"))
def test_every_configuration_in_the_guide_is_accepted(block: str) -> None:
    document = yaml.safe_load(block)
    names = {ProviderConfig.model_validate(one).name for one in document["providers"]}
    assert {ModelConfig.model_validate(one).provider for one in document.get("models", [])} <= names


def test_every_setting_the_guide_names_in_its_table_exists() -> None:
    page = (DOCS / "how-to/connect-a-provider.md").read_text()
    rows = [line.split("|")[3] for line in page.splitlines() if line.startswith("| ") and line.count("|") == 4]
    config = ProviderConfig(name="p", kind="openai", base_url="http://localhost")
    for name in [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]:
        found: object = config
        for part in name.split("."):
            found = getattr(found, part)


async def test_the_example_of_recorded_outcomes_is_answered(tmp_path: Path) -> None:
    (example,) = _blocks("reference/recorded-outcomes.md", "json")
    (tmp_path / "outcomes.jsonl").write_text(example)
    async with provider_of("recorded", path=tmp_path / "outcomes.jsonl") as provider:
        answers = [
            await ask(provider, "small", text="Do you ship to islands?"),
            await ask(provider, "large", prompt_id="shop:faq-1"),
        ]
    assert [answer["choices"][0]["message"]["content"] for answer in answers] == ["Yes, within five days.", "Yes"]
    assert "usage" not in answers[1]


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("## A chat call", translate_to_messages._FIELDS),
        ("## A Messages call", translate_to_chat._FIELDS),
    ],
)
def test_every_field_that_is_translated_is_listed_and_no_other(heading: str, fields: dict[str, object]) -> None:
    section = (DOCS / "reference/wire-forms.md").read_text().split(heading)[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(fields)
