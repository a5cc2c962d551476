"""docs/reference/http.md lists the routes that are there, with what each asks for."""

import re
from pathlib import Path

from trimtab.server import v1
from trimtab.server.control.routes import permissions

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/http.md").read_text()
NEEDS = {"a session": "page", "nothing": None}


def listed(section: str) -> dict[tuple[str, str], str]:
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return {(m, p): needs.strip(" `") for m, p, needs in re.findall(r"^\| `([A-Z]+) (\S+)` \| ([^|]+) \|", text, re.M)}


def test_every_route_of_the_control_listener_is_listed_with_its_permission() -> None:
    shown = {route: NEEDS.get(needs, needs) for route, needs in (listed("Control API") | listed("Pages")).items()}

    assert shown == {tuple(route): permission for route, permission in permissions().items()}


def test_every_route_of_the_data_plane_is_listed() -> None:
    source = Path(v1.__file__).read_text()
    calls = {("POST", path) for path in re.findall(r'"(/v1/[a-z/]+)": Api\.', source)}
    others = set(re.findall(r'\("(GET|POST)", "(/[a-z0-9/]+)"\)', source))

    assert set(listed("Data plane")) == calls | others
    assert len(calls) == 3


def test_every_header_that_is_read_or_written_is_listed() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src/trimtab").glob("server/v1.py"))
    source += "".join(path.read_text() for path in (ROOT / "src/trimtab/gateway").glob("*.py"))
    headers = {name for name in re.findall(r"x-trimtab-[a-z-]+[a-z]", source) if "recorded-" not in name}

    assert headers == set(re.findall(r"^\| `(x-trimtab-[a-z-]+)` \|", PAGE, re.M))
