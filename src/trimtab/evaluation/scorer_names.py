"""Which scorers a suite may name, told without making one: their packages and models need not be here."""

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import ScorerSpec
from trimtab.evaluation.scoring.composite import CompositeOptions, part_specs
from trimtab.evaluation.scoring.options import nearest, read_options
from trimtab.evaluation.scoring.registry import JUDGES, KINDS, RECORDED


def spec_problem(spec: ScorerSpec) -> str | None:
    """Return what is wrong with a scorer's name or options, or ``None``.

    Options of judges are checked where one is made, for they name a model. Parts of a composite are checked like any.

    >>> spec_problem(ScorerSpec(name="exact_mach"))
    "no scorer is called 'exact_mach'. Closest match: 'exact_match'"
    """
    if spec.name in (*JUDGES, RECORDED):
        return None
    kind = KINDS.get(spec.name)
    if kind is None:
        hint = nearest(spec.name, (*KINDS, *JUDGES), what="There are")
        closest, found, _ = hint.partition(". There are")
        return f"no scorer is called {spec.name!r}. {closest if found else hint.rstrip('.')}"
    try:
        options = read_options(spec, kind.options)
    except ConfigurationError as exc:
        return f"{exc.message.rstrip('.')}. {(exc.hint or '').rstrip('.')}"
    parts = part_specs(options) if isinstance(options, CompositeOptions) else ()
    return next((problem for part in parts if (problem := spec_problem(part)) is not None), None)
