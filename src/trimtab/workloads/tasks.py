"""What kind of work a request asks for: a first set of rules over its instructions and its shape.

Each rule is a pattern with the number of points it gives a task type. Instructions in the system prompt count double,
because the application's author wrote them for every call. The type with most points wins when it has enough of them
and leads; otherwise the type is unknown, and an unknown task goes to the more capable side.
"""

from functools import cache, lru_cache
from typing import Final, Literal, get_args

import re2

from trimtab.core import Api
from trimtab.core.messages import WireRequest

TaskType = Literal[
    "chat",
    "classification",
    "code",
    "embedding",
    "extraction",
    "math",
    "rag_qa",
    "reasoning",
    "summarisation",
    "tool_use",
    "translation",
    "unknown",
]
TASK_TYPES: Final[tuple[str, ...]] = get_args(TaskType)

WorkloadClass = Literal["routine", "reasoning", "unknown"]

CLASS_OF_TASK: Final[dict[TaskType, WorkloadClass]] = {
    "classification": "routine",
    "embedding": "routine",
    "extraction": "routine",
    "summarisation": "routine",
    "translation": "routine",
    "code": "reasoning",
    "math": "reasoning",
    "reasoning": "reasoning",
}
"""The class a task type stands for where no workload says otherwise; chat, question answering and tools are open."""

READ_CHARACTERS = 1_500
"""How much of the system prompt and of the newest question's beginning and end is read: instructions stand there."""

MIN_POINTS = 2

_RULES: Final[tuple[tuple[TaskType, int, str], ...]] = (
    ("summarisation", 3, r"\b(?:summari[sz]e|tl;?dr|condense)\b"),
    ("summarisation", 2, r"\b(?:summary|summaries|key (?:points|takeaways)|abstract of|recap|minutes of)\b"),
    ("translation", 3, r"\btranslat(?:e|es|ing|ion|ions|or)\b"),
    ("translation", 2, r"\b(?:in|into|to) (?:english|german|french|spanish|italian|japanese|chinese|portuguese)\b"),
    ("extraction", 3, r"\b(?:extract(?:s|or|ing|ion)?|named entit(?:y|ies)|fill (?:in )?the (?:form|schema|fields))\b"),
    (
        "extraction",
        3,
        r"\b(?:parse|pull out|list all) (?:\w+ ){0,5}(?:fields?|names?|dates?|entit(?:y|ies)|amounts?)\b",
    ),
    ("classification", 3, r"\b(?:classify|classif(?:ier|ication)|categori[sz]e|label (?:the|each|this)|triage)\b"),
    (
        "classification",
        2,
        r"\b(?:sentiment|spam or|which (?:category|label|class)|one of the following (?:labels|categor))",
    ),
    ("classification", 1, r"\b(?:categor(?:y|ies)|labels?|positive|negative|(?:yes or no|true or false))\b"),
    ("code", 3, r"```|\b(?:refactor|unit tests?|stack ?trace|traceback|pull request|code review|compile error)\b"),
    (
        "code",
        3,
        r"\b(?:write|fix|debug|implement|review|complete) (?:\w+ ){0,4}(?:code|function|class|script|method|bug)\b",
    ),
    (
        "code",
        2,
        r"\b(?:python|javascript|typescript|java|rust|golang|sql|regex|bash|programmer|software engineer|coding)\b",
    ),
    ("code", 2, r"\b(?:def \w+\(|public static|import \w+|console\.log|select \w+ from)"),
    ("math", 3, r"\b(?:solve for|integral|derivative|equation|theorem|prove that|probability (?:that|of))\b"),
    (
        "math",
        3,
        r"\b(?:how (?:many|much) (?:\w+ ){1,12}(?:left|total|altogether|each))\b|\\(?:frac|int|sum|sqrt|begin\{)",
    ),
    ("math", 3, r"\b(?:algebra|calculus|geometry|mathematic\w*|math (?:problem|tutor))"),
    ("math", 2, r"\b(?:calculate|compute|evaluate|simplify) (?:the|this|how|\d)|\d\s*[*/^]\s*\d"),
    ("reasoning", 3, r"\b(?:step[- ]by[- ]step|reason (?:through|about|carefully)|logic puzzle|trade-?offs?)\b"),
    (
        "reasoning",
        2,
        r"\b(?:analy[sz]e|root cause|strategy|plan (?:out|for)|compare and contrast|what would happen if)\b",
    ),
    (
        "rag_qa",
        3,
        r"\b(?:(?:based|only|solely) on (?:the|this|these) (?:\w+ )?(?:context|passages?|documents?|sources?))\b",
    ),
    (
        "rag_qa",
        3,
        r"\b(?:use|using) (?:only )?the (?:following |provided |retrieved )?(?:context|documents|passages)\b",
    ),
    (
        "rag_qa",
        2,
        r"(?m:^(?:context|documents?|sources?|passages?)\s*:)|<(?:context|documents?|sources?)>|cite (?:the|your) s",
    ),
    ("chat", 2, r"^\s*(?:hi|hello|hey|good (?:morning|evening)|thanks|thank you|how are you)\b"),
    ("chat", 2, r"\b(?:friendly|customer (?:support|service)|conversational|companion|chat ?bot)\b"),
)

_SYSTEM_WEIGHT = 2


def task_type_of(request: WireRequest) -> TaskType:
    """Return the kind of work asked for, ``unknown`` where no rule is sure.

    Raises:
        InvalidRequest: the messages cannot be read.
    """
    if request.api is Api.EMBEDDINGS:
        return "embedding"
    if request.n_tools:
        return "tool_use"
    question = request.last_user_text
    if len(question) > 2 * READ_CHARACTERS:
        question = f"{question[:READ_CHARACTERS]}\n{question[-READ_CHARACTERS:]}"
    return _strongest(_points_of_system(request.system_text[:READ_CHARACTERS]), _points_of(question))


def _strongest(system: dict[TaskType, int], question: dict[TaskType, int]) -> TaskType:
    points = dict(question)
    for task_type, n_points in system.items():
        points[task_type] = points.get(task_type, 0) + _SYSTEM_WEIGHT * n_points
    ranked = sorted(points.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] < MIN_POINTS or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return "unknown"
    return ranked[0][0]


@lru_cache(maxsize=512)
def _points_of_system(text: str) -> dict[TaskType, int]:
    return _points_of(text)


def _points_of(text: str) -> dict[TaskType, int]:
    points: dict[TaskType, int] = {}
    for index in _rule_set().Match(text.encode("utf-8", "surrogatepass")) or ():
        task_type, n_points, _ = _RULES[index]
        points[task_type] = points.get(task_type, 0) + n_points
    return points


@cache
def _rule_set() -> re2.Set:
    """Compile all patterns into one automaton, so that a text is read once."""
    options = re2.Options()
    options.case_sensitive = False
    rules = re2.Set.SearchSet(options)
    for _, _, pattern in _RULES:
        rules.Add(pattern)
    rules.Compile()
    return rules
