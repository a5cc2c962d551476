"""What is installed is what was locked, and nothing runs merely by being installed."""

import re
import site
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCKS = [ROOT / "requirements/core.lock", ROOT / "requirements/dev.lock"]

# Python 3.11's own `venv` puts setuptools into each environment; this is the line it brings, to the letter.
_FROM_VENV = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; "
    "enabled and __import__('_distutils_hack').add_shim();"
)
# Paths that exist on somebody's machine only, written apart so that this file does not match itself.
_LOCAL_PATHS = re.compile(r"(?<![\w.$}/])/" + r"(?:home|Users|work|root|mnt|scratch)/[a-z0-9_]")
_INDEX = re.compile(r"(?i)--(?:extra-)?index-url|--find-links|--trusted-host|https?://(?!127\.0\.0\.1)\S*/simple\b")


def test_attack_31_no_package_runs_code_at_interpreter_start() -> None:
    executable = [
        (path.name, line)
        for folder in site.getsitepackages()
        for path in sorted(Path(folder).glob("*.pth"))
        for line in path.read_text().splitlines()
        if line.startswith(("import ", "import\t")) and line.strip() != _FROM_VENV
    ]
    assert executable == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_is_pinned_with_a_hash(lock: Path) -> None:
    entries = _entries(lock)
    assert len(entries) > 20
    assert [
        entry for entry in entries if not re.search(r"^[\w.\[\]-]+==\S+", entry) or "--hash=sha256:" not in entry
    ] == []


def test_the_locks_hold_every_declared_dependency_at_an_allowed_version() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run, build = project["project"]["dependencies"], project["dependency-groups"]["build"]
    extras = {name: lines for name, lines in project["project"]["optional-dependencies"].items() if name != "k-quants"}
    rest = [*extras.values(), *project["dependency-groups"].values()]
    for lock, needed in zip(LOCKS, ([*run, *build], [*run, *(line for lines in rest for line in lines)]), strict=True):
        pinned = [Requirement(entry.split(" \\")[0].split(" --hash")[0]) for entry in _entries(lock)]
        if lock.name == "dev.lock":
            pinned.append(Requirement((ROOT / "requirements/torch.txt").read_text().strip()))
        versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pinned}
        for line in needed:
            wanted = Requirement(line)
            assert wanted.specifier.contains(versions.get(canonicalize_name(wanted.name), "0")), (lock.name, line)


def test_no_index_address_and_no_path_of_one_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout, so there is no list of committed files")
    found = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path == Path(__file__).resolve() or not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        found += [(name, match[0]) for pattern in (_LOCAL_PATHS, _INDEX) for match in [pattern.search(text)] if match]
    assert found == []


def _entries(lock: Path) -> list[str]:
    """Return one string a package: its pin, marker and hashes."""
    joined = lock.read_text().replace("\\\n", "\\ ")
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
