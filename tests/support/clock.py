"""Time that moves when a test moves it."""

from dataclasses import dataclass

NOW_US = 1_795_500_000_000_000
"""2026-11-24 06:00 UTC."""


@dataclass
class StillClock:
    wall_us: int = NOW_US
    mono_s: float = 0.0

    def now_us(self) -> int:
        return self.wall_us

    def monotonic_s(self) -> float:
        return self.mono_s
