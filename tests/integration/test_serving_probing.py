"""Probes of servers that refuse, cut, break off and take their time; and power sensors made of files and a script."""

import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from tests.support.fake_model_server import FakeHandler, FakeModelServer
from tests.support.probes import probed as example

from trimtab.catalog import ProbeResult, read_probe
from trimtab.core import SystemClock
from trimtab.core.errors import EngineError
from trimtab.serving import Endpoint, ProbePlan, Target, probe
from trimtab.serving.probing.sensors import Found, NvidiaMeter, RaplMeter, find_meter

QUICK = ProbePlan(concurrencies=(1, 2), n_calls=4, input_tokens=40, output_tokens=6, budget_s=20, timeout_s=5)


class Handler(FakeHandler):
    """Answers chats; subclasses get in the way."""

    refuses: ClassVar[frozenset[str]] = frozenset()
    """Fields that make a request fail."""
    context_tokens = 100

    def completions(self) -> None:
        request = self.body()
        unknown = self.refuses & set(request)
        n_words = len(str(request["messages"][-1]["content"]).split())
        if unknown:
            self.say({"error": {"message": f"unknown field {min(unknown)}"}}, 400)
        elif n_words > self.context_tokens:
            self.say({"error": {"message": "too long"}}, 400)
        else:
            self.chat({**request, "max_tokens": request.get("max_tokens") or request["max_completion_tokens"]}, "m")

    routes: ClassVar[Any] = {"POST /v1/chat/completions": completions}


class Strict(Handler):
    refuses = frozenset({"ignore_eos", "temperature", "max_tokens", "tools"})


class Cutting(Handler):
    context_tokens = 10_000


class Broken(FakeHandler):
    routes: ClassVar[Any] = {"POST /v1/chat/completions": lambda self: self.say({"error": "out of order"}, 503)}


class Slow(Handler):
    def completions(self) -> None:
        time.sleep(0.3)
        super().completions()

    routes: ClassVar[Any] = {"POST /v1/chat/completions": completions}


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[FakeModelServer]:
    running = FakeModelServer(request.param, api_key="secret-1")
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


async def probed(server: FakeModelServer, plan: ProbePlan = QUICK, **more: Any) -> ProbeResult:
    endpoint = Endpoint(base_url=server.base_url, api_key="secret-1", label="fake")
    target = Target(endpoint=endpoint, model="m")
    options = {"dice": random.Random(1), "context_tokens": 100, "meter": lambda: Found(None, "not looked for"), **more}
    return await probe(target, plan, name="fake:m", clock=SystemClock(), **options)


@pytest.mark.parametrize("server", [Handler], indirect=True)
async def test_a_probe_has_figures_for_every_concurrency(server: FakeModelServer) -> None:
    done: list[tuple[int, int]] = []

    found = await probed(server, on_call=lambda n_done, n_total: done.append((n_done, n_total)))

    assert [(each.concurrency, each.n_calls, each.n_passes) for each in found.levels] == [(1, 4, 4), (2, 6, 3)]
    assert found.n_calls == 10
    assert found.output_tokens == 6
    assert all(each.ttft_p50_ms is not None and each.call_output_tokens_per_s for each in found.levels)
    assert found.capabilities[0].holds is False  # it answers in words
    assert found.context.is_refused_above is True
    assert found.is_complete
    assert done[-1] == (QUICK.n_total, QUICK.n_total)


@pytest.mark.parametrize("server", [Strict], indirect=True)
async def test_a_server_that_knows_fewer_fields_is_asked_with_fewer(server: FakeModelServer) -> None:
    found = await probed(server)

    assert found.n_calls == 10
    assert [(each.capability, each.holds) for each in found.capabilities][1] == ("tools", False)
    assert "unknown field" in found.capabilities[1].reason
    assert any("answers end where the model ends them" in note for note in found.notes)


@pytest.mark.parametrize("server", [Cutting], indirect=True)
async def test_a_context_that_is_not_enforced_is_said_so(server: FakeModelServer) -> None:
    found = await probed(server)

    assert found.context.is_refused_above is False


@pytest.mark.parametrize("server", [Broken], indirect=True)
async def test_a_server_out_of_order_is_an_error_with_its_words(server: FakeModelServer) -> None:
    with pytest.raises(EngineError, match=r"fake answered 503: .*out of order"):
        await probed(server)


@pytest.mark.parametrize("server", [Slow], indirect=True)
async def test_no_call_begins_after_the_budget_and_the_result_says_what_is_missing(server: FakeModelServer) -> None:
    began_s = time.monotonic()

    found = await probed(server, ProbePlan(concurrencies=(1, 2), input_tokens=40, output_tokens=6, budget_s=1.0))

    assert time.monotonic() - began_s < 3
    assert not found.is_complete
    assert found.n_calls < 5
    assert any("were used up after" in note for note in found.notes)


@pytest.mark.parametrize("server", [Handler], indirect=True)
async def test_power_is_energy_over_the_time_of_the_best_level(server: FakeModelServer) -> None:
    class Meter:
        source = "a meter that draws 10 W"

        def read_j(self) -> float:
            return 10 * time.monotonic()

        def close(self) -> None:
            self.is_closed = True

    meter = Meter()
    found = await probed(server, meter=lambda: Found(meter, ""))

    assert found.power.power_w == pytest.approx(10, rel=0.05)
    assert found.power.source == "a meter that draws 10 W"
    assert meter.is_closed
    assert found.power.seconds is not None
    best = next(each for each in found.levels if each.concurrency == 2)
    n_tokens = best.n_calls * 6
    assert found.power.wh_per_output_mtok == pytest.approx(10 * found.power.seconds / 3600 / n_tokens * 1e6, rel=0.05)


def test_without_a_sensor_power_is_unknown_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_meter(tmp_path) == Found(None, "no sensor: neither nvidia-smi nor RAPL is there")


def test_rapl_counts_every_package_across_the_turn_of_its_counter(tmp_path: Path) -> None:
    zones = [tmp_path / "intel-rapl:0", tmp_path / "intel-rapl:1"]
    for zone in [*zones, tmp_path / "intel-rapl:0:0"]:  # the last one is a part of the first
        zone.mkdir()
        (zone / "max_energy_range_uj").write_text("10000000\n")
        (zone / "energy_uj").write_text("9000000\n")
    meter = find_meter(tmp_path).meter
    assert isinstance(meter, RaplMeter)

    (zones[0] / "energy_uj").write_text("500000\n")  # 1 J to the end, half a joule after it
    (zones[1] / "energy_uj").write_text("9250000\n")

    assert meter.read_j() == 1.75


def test_nvidia_smi_is_read_as_it_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/bin/sh\nwhile true; do echo '0, 60.00'; echo '1, 40.00'; sleep 0.05; done\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    meter = find_meter(tmp_path).meter
    assert isinstance(meter, NvidiaMeter)
    time.sleep(0.2)

    before_j, before_s = meter.read_j(), time.monotonic()
    time.sleep(0.5)
    drawn_w = (meter.read_j() - before_j) / (time.monotonic() - before_s)
    meter.close()

    assert drawn_w == pytest.approx(100, rel=0.05)


def test_a_gpu_without_a_gauge_is_no_sensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/bin/sh\necho '0, [N/A]'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    assert find_meter(tmp_path).meter is None


def test_a_probe_can_be_kept_as_json() -> None:

    kept = json.loads(msgspec.json.encode(example("local:m")))
    assert read_probe(kept) == example("local:m")
