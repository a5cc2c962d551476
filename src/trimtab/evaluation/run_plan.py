"""What a run is before its first answer: everything that its scores depend on, under one digest."""

import hashlib
from collections.abc import Mapping

import msgspec

from trimtab.evaluation.case import Case, Option, ScorerSpec
from trimtab.evaluation.scoring import Scorer


class ScorerUse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A scorer as a run used it."""

    spec: ScorerSpec
    version: int = 1
    is_binary: bool = True
    """Whether it promises that every score is 0 or 1."""

    @property
    def label(self) -> str:
        """Name, options and version in one word, equal only where the same answer gets the same score.

        >>> ScorerUse(spec=ScorerSpec(name="numeric", options={"tolerance": 0.1}), version=2).label
        'numeric{"tolerance":0.1}@2'
        """
        options = msgspec.json.encode(self.spec.options, order="sorted").decode() if self.spec.options else ""
        return f"{self.spec.name}{options}" + (f"@{self.version}" if self.version != 1 else "")


def use_of(scorer: Scorer) -> ScorerUse:
    """Return what a run writes down of a scorer."""
    return ScorerUse(spec=scorer.spec, version=scorer.version, is_binary=scorer.is_binary)


class RunPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One model over one suite, with all that its scores depend on."""

    suite_name: str
    suite_version: str
    suite_digest: str
    model: str
    """``provider:model``, ``auto`` or ``workload/NAME``; with the latter two policy chooses who answers."""
    model_version: str | None = None
    """Of the model's card."""
    model_digest: str | None = None
    """Sha256 of the weights; ``None`` where nobody can know them."""
    scorers: tuple[ScorerUse, ...]
    """The suite's own first, then those that cases name, by label."""
    options: Mapping[str, Option]
    """Sampling and limits: ``temperature``, ``max_tokens``, ``seed``, ``samples``, ``stream``, ``deadline_s``."""

    @property
    def n_samples(self) -> int:
        """Times that each case is asked."""
        n_samples = self.options.get("samples", 1)
        return n_samples if isinstance(n_samples, int) else 1

    @property
    def seed(self) -> int | None:
        """The seed of each case's first sample; ``None`` where none is sent."""
        seed = self.options.get("seed")
        return seed if isinstance(seed, int) else None

    @property
    def target_digest(self) -> str:
        """Sha256 of everything but the suite's content: the same for a suite that changed meanwhile."""
        return _sha256(msgspec.structs.replace(self, suite_digest="", suite_version=""))

    @property
    def is_routed(self) -> bool:
        """Whether policy chooses the model for each case."""
        return is_routed(self.model)

    def seed_of(self, sample: int) -> int | None:
        """Return the seed of one repetition: the run's for the first, the next numbers for the others."""
        return None if self.seed is None else self.seed + sample

    def request_digest(self, case: Case, sample: int) -> str:
        """Return the sha256 of what decides an answer: the model's version and weights, the request, the repetition.

        Scorers, the suite and limits of time are not among it.
        """
        sent = {name: value for name, value in self.options.items() if name not in ("deadline_s", "samples", "seed")}
        return _sha256(
            [self.model, self.model_version, self.model_digest, case.messages, sent, self.seed_of(sample), sample]
        )


def is_routed(model: str) -> bool:
    """Return whether a name leaves the choice of the model to policy.

    >>> is_routed("auto"), is_routed("workload/triage"), is_routed("local:small")
    (True, True, False)
    """
    return model == "auto" or model.startswith("workload/")


def spec_key(spec: ScorerSpec) -> str:
    """Return a scorer's name and options as one text, equal for equal ones."""
    return msgspec.json.encode(spec, order="sorted").decode()


def _sha256(content: object) -> str:
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()
