"""The how-to pages, followed to the letter."""

from pathlib import Path

import pytest
from tests.support.service import environment
from tests.support.tutorial import Reader, blocks_of

ROOT = Path(__file__).resolve().parents[2]


def _followed(name: str, folder: Path) -> str:
    """Do what a page says and return everything its commands printed."""
    path = f"{ROOT / '.venv/bin'}:{environment()['PATH']}"
    reader = Reader(folder, environment({"PATH": path}), {}, ready_url="")
    reader.follow(blocks_of((ROOT / f"docs/how-to/{name}.md").read_text()))
    return "\n".join(reader.outputs)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        # 1,200 and 40 tokens at $0.15 and $0.60 a million; 5,200 and 300 at $2.50 and $10: $0.000204 + $0.016.
        ("import-calls", ["2 calls stored", "cost $0.01620 over 2 calls", "contracts", "$0.01305"]),
        ("try-a-policy", ["split.yaml", "$0.022", "1.000 [0.439, 1.000] (n = 3)", "0 errors"]),
        (
            "make-a-suite",
            [
                "office version 1, 4 cases",
                "nothing to correct",
                "asked version 1, 3 cases in 2 strata",
                "e9af00691e73",
                "60e4e9b269df",
            ],
        ),
        ("keys-and-limits", ["web-shop", "120 calls/min, $5.00/day, $100.00/month", "revoked", "intact: "]),
        (
            "explain-a-choice",
            ["contracts: 2 calls, all imported, $0.05000", "Decided now for the usual call", "Chosen      nobody"],
        ),
    ],
)
def test_a_how_to_does_what_it_says(name: str, said: list[str], tmp_path: Path) -> None:
    printed = _followed(name, tmp_path)

    assert [text for text in said if text not in printed] == [], printed


def test_the_library_prints_what_its_page_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/use-as-a-library.md").read_text()
    shown = [part.split("```")[0] for part in page.split("```text\n")[1:]]

    assert _followed("use-as-a-library", tmp_path) == "\n".join(shown)
