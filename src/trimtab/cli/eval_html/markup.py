"""HTML by plain functions. Text is escaped here and nowhere else."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple


class Html(NamedTuple):
    """Markup that is safe to put into a page."""

    markup: str


Content = str | Html | None


def element(name: str, *children: Content, **attributes: str | float) -> Html:
    """Return an element. Text is escaped; a trailing underscore of an attribute's name is dropped.

    >>> element("p", "1 < 2", class_="note").markup
    '<p class="note">1 &lt; 2</p>'
    """
    return Html(f"<{name}{_attributes(attributes)}>{joined(children).markup}</{name}>")


def empty(name: str, **attributes: str | float) -> Html:
    """Return an element without content."""
    return Html(f"<{name}{_attributes(attributes)}/>")


def joined(children: Iterable[Content]) -> Html:
    """Return children one after the other; ``None`` is nothing."""
    return Html("".join(one.markup if isinstance(one, Html) else escape(one or "") for one in children))


def table(headings: Sequence[str], rows: Iterable[Sequence[Content]]) -> Html:
    """Return a table that scrolls where the screen is narrow; headings that begin with ``>`` are of numbers."""
    kinds = ["number" if heading.startswith(">") else "text" for heading in headings]
    head = [
        element("th", h.removeprefix(">"), class_=kind, scope="col") for h, kind in zip(headings, kinds, strict=True)
    ]
    body = [
        element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)))
        for row in rows
    ]
    inner = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    return element("div", inner, class_="scroll", tabindex="0")


def number(value: float) -> str:
    """Return a coordinate, short.

    >>> number(12.0), number(0.123456)
    ('12', '0.12')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _attributes(attributes: dict[str, str | float]) -> str:
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value if isinstance(value, str) else number(value))}"'
        for name, value in attributes.items()
    )
