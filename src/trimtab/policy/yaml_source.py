"""Read a YAML text into plain values and remember the line of each, so that an error can point at it."""

import re
from dataclasses import dataclass, field

import yaml

from trimtab.core.errors import PolicyInvalid

Path = tuple[str | int, ...]
Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool

MAX_BYTES = 1_000_000
"""A policy is written by people; the largest seen in reviews of similar products had 40 kB."""
MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class SourceLines:
    """Where each part of a document stands."""

    origin: str
    """File name, or what stands for one."""
    lines: dict[Path, int] = field(default_factory=dict)

    def at(self, path: Path) -> str:
        """Return ``file:line`` of the part or of the nearest one around it; only the file where no line is known."""
        for length in range(len(path), -1, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return f"{self.origin}:{line}"
        return self.origin


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core types: ``no`` is Norwegian, ``12:30`` is text and so is a date; only true and false are flags."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own protocol


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"(?:true|True|false|False)$"), list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]{1,18}$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]{1,3})?$"),
    list("-+.0123456789"),
)


def read_yaml(text: str, *, origin: str) -> tuple[Plain, SourceLines]:
    """Return the document's values and their lines.

    Raises:
        PolicyInvalid: not one YAML document, a key twice, a value left out, an anchor, or too large.
    """
    if len(text) > MAX_BYTES:
        raise PolicyInvalid(f"{origin}:1: the file has {len(text)} characters; a policy may have {MAX_BYTES}.")
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise PolicyInvalid(f"{origin}:{line}: not YAML: {exc.problem or exc.context}.") from exc
    except yaml.YAMLError as exc:
        raise PolicyInvalid(f"{origin}:1: not YAML: {' '.join(str(exc).split())}.") from exc
    except RecursionError as exc:
        raise PolicyInvalid(f"{origin}:1: nested too deeply; {MAX_DEPTH} levels are allowed.") from exc
    if root is None:
        raise PolicyInvalid(f"{origin}:1: the file is empty.", hint="`trimtab init` writes a policy to start from.")
    reader = _Reader(SourceLines(origin))
    return reader.read(root, ()), reader.places


class _Reader:
    def __init__(self, places: SourceLines) -> None:
        self.places = places
        self._seen: set[int] = set()

    def read(self, node: yaml.Node, path: Path) -> Plain:
        if id(node) in self._seen:
            raise self._refused(node, "anchors and aliases are not read, so that every line speaks for itself")
        if len(path) > MAX_DEPTH:
            raise self._refused(node, f"nested too deeply; {MAX_DEPTH} levels are allowed")
        self._seen.add(id(node))
        self.places.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Plain:
        values: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._refused(key_node, "a key must be a plain word")
            key: str = key_node.value
            if key in values:
                first = self.places.lines[(*path, key)]
                raise self._refused(key_node, f"key {key!r} stands here a second time; the first is on line {first}")
            self.places.lines[(*path, key)] = key_node.start_mark.line + 1
            values[key] = self.read(value_node, (*path, key))
        return values

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Plain:
        text: str = node.value
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "str":
                return text
            case "bool":
                return text.lower() == "true"
            case "int" if re.fullmatch(r"[-+]?[0-9]{1,18}", text):
                return int(text)
            case "float":
                return self._float(node, text)
            case "null":
                name = f"{path[-1]!r}" if path else "the document"
                raise self._refused(node, f"{name} has no value; give it one or remove the line")
        raise self._refused(node, f"the tag {node.tag!r} is not read")

    def _float(self, node: yaml.ScalarNode, text: str) -> float:
        try:
            number = float(text)
        except ValueError as exc:
            raise self._refused(node, f"{text!r} is not a number") from exc
        if number in (float("inf"), float("-inf")) or number != number:
            raise self._refused(node, f"{text!r} is not a finite number")
        return number

    def _refused(self, node: yaml.Node, reason: str) -> PolicyInvalid:
        return PolicyInvalid(f"{self.places.origin}:{node.start_mark.line + 1}: {reason}.")
