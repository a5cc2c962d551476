"""What a model does when it is called: speed by concurrency, context, abilities, memory and power."""

from trimtab.serving.probing.asking import Target
from trimtab.serving.probing.plan import ProbePlan
from trimtab.serving.probing.probing import probe

__all__ = ["ProbePlan", "Target", "probe"]
