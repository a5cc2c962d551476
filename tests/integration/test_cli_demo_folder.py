import socket
from pathlib import Path

import pytest

from trimtab.cli.demo_gateway import MARKER, demo_folder, running_gateway, usable_port
from trimtab.core.errors import ConfigurationError


def test_a_second_demo_in_the_same_folder_replaces_what_the_first_made_and_no_more(tmp_path: Path) -> None:
    with demo_folder(tmp_path):
        (tmp_path / "policy.yaml").write_text("policy: first\n")
        (tmp_path / "trimtab-data").mkdir()
        (tmp_path / "notes.txt").write_text("mine")
    with demo_folder(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {MARKER, "notes.txt"}


def test_two_demos_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        demo_folder(tmp_path),
        pytest.raises(ConfigurationError, match="A demo is running"),
        demo_folder(tmp_path),
    ):
        pytest.fail("the folder is taken")


def test_files_that_no_demo_made_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("policy: mine\n")
    with pytest.raises(ConfigurationError, match="not the demo's"), demo_folder(tmp_path):
        pytest.fail("the folder is somebody's")
    assert [path.name for path in tmp_path.iterdir()] == ["policy.yaml"]


def test_a_gateway_that_cannot_start_says_why(tmp_path: Path) -> None:
    config = tmp_path / "trimtab.yaml"
    config.write_text("listne: {port: 0}\n")
    with (
        pytest.raises(ConfigurationError, match="did not start") as raised,
        running_gateway(config, port=0, control_port=0),
    ):
        pytest.fail("it runs")
    assert "trimtab.yaml: listne" in raised.value.message


def test_a_taken_port_is_left_to_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert usable_port(taken.getsockname()[1]) == 0
