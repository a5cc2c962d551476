"""Recorded outcomes: how each of several models did on the same prompts, with cost and score.

One row a prompt and model: ``prompt_id``, ``model``, ``score`` (0 to 1), and where known ``dataset``, ``task_type``,
``prompt``, ``input_tokens``, ``output_tokens``, ``cost_usd``. Public routing benchmarks come in this form.
"""

from trimtab.core import CallRecord, JournalEntry, Usage, derived_call_id
from trimtab.ingest.building import chat_request, chat_response, cost_of, entry_of, model_name, sensitivity_of
from trimtab.ingest.fields import Fields
from trimtab.ingest.rows import ImportOptions

PROVIDER = "recorded"
"""The provider given to the models, unless ``--provider`` names another: a pool that answers from the same file."""


def read_outcome(row: Fields, options: ImportOptions) -> JournalEntry:
    """Return the outcome of one model on one prompt as a call.

    The call's id comes from dataset, prompt and model, so the same file can be read any number of times.

    Raises:
        FieldError: a field is missing or cannot be what it should be.
    """
    prompt_id, model, dataset = prompt_id_of(row), row.required_name("model"), row.name("dataset")
    name = model_name(model, options.provider or PROVIDER)
    at_us = row.instant("started_at", "time")
    call = CallRecord(
        call_id=derived_call_id("outcomes", prompt_id, name),
        started_at_us=options.at_us if at_us is None else at_us,
        source="import:outcomes",
        app=row.name("app") or options.app,
        workload=options.workload or row.name("workload") or dataset or "unclassified",
        task_type=row.name("task_type") or "unknown",
        sensitivity=sensitivity_of(row, options),
        prompt_id=prompt_id,
        requested_model=model,
        model=name,
        is_recorded=True,
        usage=Usage(input_tokens=row.count("input_tokens"), output_tokens=row.count("output_tokens")),
        **cost_of(row.nano_usd("cost_usd")),
        latency_ms=row.duration("latency_ms"),
        quality_fraction=row.fraction("score", "quality_fraction"),
        store_mode=options.store,
    )
    prompt_text, answer = row.text("prompt"), row.text("response_text", "answer")
    return entry_of(
        call,
        request=None if prompt_text is None else chat_request(model, prompt_text),
        response=None if answer is None else chat_response(model, answer),
    )


def prompt_id_of(row: Fields) -> str:
    """Return the key of a prompt, which is unique only within its dataset: ``dataset:prompt_id``.

    Raises:
        FieldError: the row names no prompt.
    """
    prompt, dataset = row.required_name("prompt_id"), row.name("dataset")
    return prompt if dataset is None else f"{dataset}:{prompt}"
