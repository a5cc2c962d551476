"""What the machine draws while a model writes: the processor's energy counter, or a GPU's power gauge."""

import contextlib
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple, Protocol

RAPL = Path("/sys/class/powercap")
_SAMPLE_MS = 200
_FIRST_SAMPLE_S = 10.0


class Meter(Protocol):
    """Counts energy."""

    source: str
    """Which sensor it is and what it counts besides the model."""

    def read_j(self) -> float:
        """Return the joules since some fixed moment."""
        ...

    def close(self) -> None:
        """Stop counting."""
        ...


class Found(NamedTuple):
    """A sensor, or why there is none."""

    meter: Meter | None
    reason: str


def find_meter(rapl: Path = RAPL) -> Found:
    """Return what counts energy here: a GPU's gauge where there is one, else the processor's counter."""
    program = shutil.which("nvidia-smi")
    gpus = None if program is None else NvidiaMeter.of(program)
    if gpus is not None:
        return Found(gpus, "")
    zones = sorted(zone for zone in rapl.glob("intel-rapl:*") if zone.name.count(":") == 1)
    if not zones:
        return Found(None, "no sensor: neither nvidia-smi nor RAPL is there")
    try:
        return Found(RaplMeter(zones), "")
    except PermissionError:
        return Found(None, f"RAPL is there and may not be read: {zones[0] / 'energy_uj'} is for the superuser")
    except (OSError, ValueError) as exc:
        return Found(None, f"RAPL cannot be read: {exc}")


class RaplMeter:
    """The energy counters of the processor's packages. AMD's processors have them under Intel's name too.

    Args:
        zones: One folder a package.

    Raises:
        OSError: a counter cannot be read.
        ValueError: it holds no number.

    Source:
        Linux, Documentation/power/powercap: ``energy_uj`` counts microjoules and begins again after
        ``max_energy_range_uj``.
    """

    source = "RAPL: the whole processor, with its idle draw and every other program"

    def __init__(self, zones: list[Path]) -> None:
        self._zones = zones
        self._ranges_uj = [int((zone / "max_energy_range_uj").read_text()) for zone in zones]
        self._last_uj = [self._counter(zone) for zone in zones]
        self._total_uj = 0

    def read_j(self) -> float:
        """Return the joules since it was made; asked at least every minute it misses no turn of a counter."""
        for place, zone in enumerate(self._zones):
            now_uj = self._counter(zone)
            step_uj = now_uj - self._last_uj[place]
            self._total_uj += step_uj if step_uj >= 0 else step_uj + self._ranges_uj[place]
            self._last_uj[place] = now_uj
        return self._total_uj / 1e6

    def close(self) -> None:
        """Nothing is held."""

    def _counter(self, zone: Path) -> int:
        return int((zone / "energy_uj").read_text())


class NvidiaMeter:
    """The power gauges of all NVIDIA GPUs, added up over time.

    Args:
        program: ``nvidia-smi``.
    """

    source = "nvidia-smi: all GPUs of this machine, with their idle draw; the rest of the machine is not counted"

    def __init__(self, program: str) -> None:
        self._lock = threading.Lock()
        self._is_first_in = threading.Event()
        self._last: dict[str, tuple[float, float]] = {}
        self._total_j = 0.0
        self._child = subprocess.Popen(
            [program, "--query-gpu=index,power.draw", "--format=csv,noheader,nounits", f"--loop-ms={_SAMPLE_MS}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        threading.Thread(target=self._follow, name="trimtab-power", daemon=True).start()

    @classmethod
    def of(cls, program: str) -> "NvidiaMeter | None":
        """Return a meter that has read a gauge, or ``None`` where no GPU has one."""
        try:
            meter = cls(program)
        except OSError:
            return None
        if meter._is_first_in.wait(_FIRST_SAMPLE_S) and meter._last:
            return meter
        meter.close()
        return None

    def read_j(self) -> float:
        """Return the joules since it was made, each gauge's last reading held until now."""
        with self._lock:
            now_s = time.monotonic()
            return self._total_j + sum((now_s - at_s) * power_w for at_s, power_w in self._last.values())

    def close(self) -> None:
        """End the program."""
        self._child.kill()
        self._child.wait()

    def _follow(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            for line in lines:
                index, _, power = line.partition(",")
                with contextlib.suppress(ValueError):  # a GPU without a gauge says [N/A]
                    self._take(index.strip(), float(power))
        self._is_first_in.set()

    def _take(self, index: str, power_w: float) -> None:
        with self._lock:
            now_s = time.monotonic()
            at_s, before_w = self._last.get(index, (now_s, power_w))
            self._total_j += (now_s - at_s) * before_w
            self._last[index] = (now_s, power_w)
        self._is_first_in.set()
