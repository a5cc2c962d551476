"""MkDocs hook: show the folders in the order a reader meets them."""

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation, Section

_ORDER = ("Tutorials", "How to", "Reference", "Explanation", "Decisions")


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Sort sections by Diátaxis; pages stay first and unknown folders last."""
    nav.items.sort(key=_rank)
    return nav


def _rank(item: object) -> int:
    if not isinstance(item, Section):
        return -1
    return _ORDER.index(item.title) if item.title in _ORDER else len(_ORDER)
