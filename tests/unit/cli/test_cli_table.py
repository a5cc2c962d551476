"""Tables stay readable, and their cells copyable, on every screen."""

import pytest

from trimtab.cli.table import shown_width, table_lines

HEADINGS = ["Call", "Workload", "Cost", "Because"]
ROWS = [
    ["call_01m88bgjjgzenjh386jpgd70tk", "shop-faq", "$0.10", "It is the cheapest of two models that clear the bar."],
    ["call_01m88bgjjgzenjh386jpgd70tl", "工单", "$12.00", "One."],
]


def lines(width: int | None) -> list[str]:
    return list(table_lines(HEADINGS, ROWS, is_number=[False, False, True, False], width=width))


def test_a_wide_screen_shows_a_row_on_a_line_with_numbers_to_the_right() -> None:
    heading, first, second = lines(None)

    assert heading == f"{'Call':31}  Workload    Cost  Because"
    assert first == f"{ROWS[0][0]}  shop-faq   $0.10  {ROWS[0][3]}"
    assert second == f"{ROWS[1][0]}  工单      $12.00  One."


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_nothing_is_wider_than_the_screen_and_no_cell_is_cut_inside_a_word(width: int) -> None:
    shown = lines(width)

    assert max(map(shown_width, shown)) <= width
    words = " ".join(shown).split()
    assert [row[0] for row in ROWS] == [word for word in words if word.startswith("call_")]
    assert set(" ".join(cell for row in ROWS for cell in row).split()) <= set(words)


def test_sentences_are_broken_before_rows_are() -> None:
    assert [line.split("  ")[0] for line in lines(80)] == ["Call", ROWS[0][0], "", ROWS[1][0]]


def test_a_narrow_screen_continues_each_row_and_the_headings_on_indented_lines() -> None:
    shown = table_lines(
        ["Model", "Quality"], [["a-long-name", "0.5 [0.4, 0.6]"], ["", "x"]], is_number=[False] * 2, width=20
    )

    assert list(shown) == ["Model", "    Quality", "a-long-name", "    0.5 [0.4, 0.6]", "    x"]


def test_a_figure_stays_with_its_interval() -> None:
    interval = "-$0.0001743 [-$0.0001930, -$0.0001556] (n = 400)"

    assert f"    {interval}" in table_lines(
        ["Policy", "Saved"], [["a-policy", interval]], is_number=[False] * 2, width=54
    )
