"""Task types: realistic prompts of each kind, and the prompts no rule may be sure of."""

import json

import pytest

from trimtab.core import Api
from trimtab.core.messages import WireRequest
from trimtab.workloads.tasks import CLASS_OF_TASK, READ_CHARACTERS, TASK_TYPES, task_type_of


def task_of(text: str, system: str = "", **fields: object) -> str:
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": text})
    body = json.dumps({"model": "auto", "messages": messages, **fields}).encode()
    return task_type_of(WireRequest(Api.CHAT_COMPLETIONS, body))


PROMPTS = [
    ("summarisation", "Summarize the following article in three bullet points:\n\nThe council met on Tuesday ..."),
    ("summarisation", "Please write a short summary with the key takeaways of this meeting."),
    ("summarisation", "TL;DR of the text below"),
    ("translation", "Translate the following sentence into French: Where is the station?"),
    ("translation", "Please provide a translation to Japanese of this menu."),
    ("extraction", "Extract all named entities from the text and return them as JSON."),
    ("extraction", "Pull out the invoice dates and amounts."),
    ("classification", "Classify the ticket as one of: billing, technical, other."),
    ("classification", "What is the sentiment of this review, positive or negative?"),
    ("code", "Write a Python function that merges two sorted lists."),
    ("code", "I get this traceback:\n```\nValueError: x\n```\nWhat is wrong?"),
    ("code", "Refactor this class and add unit tests."),
    ("math", "Solve for x: 3x + 5 = 20. Show that the equation has one solution."),
    ("math", "Tom had 12 apples and ate 5. How many apples are left?"),
    ("math", "Compute the integral of x^2 from 0 to 3."),
    ("reasoning", "Think step by step about this logic puzzle: three people ..."),
    ("reasoning", "Compare and contrast the two designs and discuss the trade-offs."),
    ("rag_qa", "Answer the question based only on the following context.\n\nContext:\nParis is ..."),
    ("rag_qa", "Using the provided documents, who signed the treaty?"),
    ("chat", "Hello! How are you today?"),
    ("chat", "Thanks, that helped."),
]


@pytest.mark.parametrize(("task_type", "text"), PROMPTS)
def test_a_realistic_prompt_is_recognised(task_type: str, text: str) -> None:
    assert task_of(text) == task_type


SYSTEMS = [
    ("summarisation", "You condense long reports for executives.", "The third quarter was difficult ..."),
    ("translation", "You are a translator from German to English.", "Guten Morgen"),
    ("extraction", "Extract the fields of the invoice into the schema.", "ACME, 12 March, 400 EUR"),
    ("classification", "You are a classifier. Label the message with one category.", "My parcel is late"),
    ("code", "You are an expert software engineer.", "It does not start"),
    ("math", "You are a math tutor.", "Help me with number 7"),
    ("chat", "You are a friendly companion.", "I had a long day"),
]


@pytest.mark.parametrize(("task_type", "system", "text"), SYSTEMS)
def test_the_applications_instructions_say_what_its_calls_are(task_type: str, system: str, text: str) -> None:
    assert task_of(text, system) == task_type


def test_instructions_outweigh_what_a_caller_happens_to_mention() -> None:
    assert (
        task_of("The summary says that a Python class failed.", "Translate everything into English.") == "translation"
    )


@pytest.mark.parametrize("text", ["", "42", "Ok.", "The weather was fine that year.", "ЖЖЖ", "import", "a" * 10_000])
def test_nothing_to_go_by_is_unknown(text: str) -> None:
    assert task_of(text) == "unknown"


def test_a_tie_is_unknown() -> None:
    assert task_of("Summarize and translate") == "unknown"


def test_offered_tools_make_a_tool_call_and_an_input_an_embedding() -> None:
    embedding = WireRequest(Api.EMBEDDINGS, b'{"model":"auto","input":"Summarize this"}')

    assert task_of("Summarize this", tools=[{"type": "function"}]) == "tool_use"
    assert task_type_of(embedding) == "embedding"


def test_the_beginning_and_the_end_of_a_long_question_are_read_and_its_middle_is_not() -> None:
    filler = "word " * READ_CHARACTERS

    assert task_of("Summarize this text. " + filler) == "summarisation"
    assert task_of(filler + " Summarize this text.") == "summarisation"
    assert task_of(filler + " Summarize this text. " + filler) == "unknown"


def test_the_newest_question_counts_and_not_the_ones_before() -> None:
    turns = [
        {"role": "user", "content": "Write a Python function"},
        {"role": "assistant", "content": "def f(): ..."},
        {"role": "user", "content": "Now translate the comment into French"},
    ]
    body = json.dumps({"model": "auto", "messages": turns}).encode()

    assert task_type_of(WireRequest(Api.CHAT_COMPLETIONS, body)) == "translation"


def test_every_answer_is_one_of_the_listed_types_and_routine_types_have_a_class() -> None:
    assert {task_of(text) for _, text in PROMPTS} <= set(TASK_TYPES)
    assert CLASS_OF_TASK.keys() <= set(TASK_TYPES)
    assert "unknown" not in CLASS_OF_TASK
