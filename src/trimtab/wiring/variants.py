"""What a quantization ladder found, written into the registry of model files."""

from trimtab.serving.variants import Ladder
from trimtab.wiring.settings import Settings


def register_ladder(settings: Settings, ladder: Ladder) -> None:
    """Keep every file of a ladder with its lineage, figures and verdict."""
