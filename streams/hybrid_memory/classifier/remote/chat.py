"""What is said to an OpenAI-compatible server about one text, and what its reply means. Pure."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from hybrid_memory.classifier.qwen.labels import MAX_LABELS, clean, says_none
from hybrid_memory.classifier.qwen.prompt import Message, Prompt, conversation
from hybrid_memory.classifier.taxonomy import Taxonomy

_FIELD = "classifiers"
_MAX_TOKENS = 64
_AS_JSON = f'\nAnswer as JSON: {{"{_FIELD}": [...]}}, with an empty list for none.'
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')


class UnusableError(ValueError):
    """A reply that holds no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Chat:
    """How texts are asked about, and answers read. A text stands in the last turn alone, whatever is in it."""

    prompt: Prompt
    taxonomy: Taxonomy | None
    max_characters: int

    def body(self, model: str, text: str, as_json: bool) -> dict[str, Any]:
        """The request; with `as_json`, one that holds the answer to a schema."""
        # Most templates take <|…|> in a text for their own marks.
        shown = text.strip()[: self.max_characters].replace("<|", "< |")
        turns = conversation(self.prompt, shown, self.taxonomy)
        body = {"model": model, "temperature": 0, "max_tokens": _MAX_TOKENS, "stream": False}
        if not as_json:
            return {**body, "messages": turns}
        schema = {"name": _FIELD, "strict": True, "schema": self._schema()}
        messages = [_in_json(turn) for turn in turns]
        return {**body, "messages": messages, "response_format": {"type": "json_schema", "json_schema": schema}}

    def read(self, reply: object) -> tuple[tuple[str, ...], int]:
        """The classifiers in the body of a reply, and how many tokens it took.

        Raises:
            UnusableError: it is no chat completion, or the answer in it is none.
        """
        answer, whole = _answer(reply)
        return self._labels(answer, whole), _tokens(reply)

    def _labels(self, answer: str, whole: bool) -> tuple[str, ...]:
        listed = _listed(answer, whole)
        if self.taxonomy is not None:
            return _known(answer.split(",") if listed is None else listed, {lb.name for lb in self.taxonomy.labels})
        said, whole = (answer, whole) if listed is None else ("\n".join(listed), True)
        labels = clean(said, whole)
        if not labels and listed != [] and not says_none(said):
            raise UnusableError("the model's answer holds no short noun phrase")
        return labels

    def _schema(self) -> dict[str, Any]:
        item: dict[str, Any] = {"type": "string"}
        if self.taxonomy is not None:
            item["enum"] = [label.name for label in self.taxonomy.labels]
        labels = {"type": "array", "items": item, "maxItems": MAX_LABELS}
        return {"type": "object", "properties": {_FIELD: labels}, "required": [_FIELD], "additionalProperties": False}


def _in_json(turn: Message) -> Message:
    """The turn as it stands where answers are JSON."""
    if turn["role"] == "assistant":
        return turn | {"content": json.dumps({_FIELD: clean(turn["content"])})}
    return turn | {"content": turn["content"] + _AS_JSON} if turn["role"] == "system" else turn


def _answer(reply: object) -> tuple[str, bool]:
    """What the model said, and whether it said all of it."""
    try:
        choice = reply["choices"][0]  # type: ignore[index]
        content = choice["message"]["content"]
    except (LookupError, TypeError):
        raise UnusableError("the reply is no chat completion") from None
    if not isinstance(content, str) or not content.strip():
        raise UnusableError("the model gave no answer")
    return content, choice.get("finish_reason") != "length"


def _listed(answer: str, whole: bool) -> list[str] | None:
    """The strings of an answer that is JSON, perhaps in a fence or cut short; None where it is none."""
    start, end = answer.find("{"), answer.rfind("}")
    if start < 0:
        return None
    try:
        value = json.loads(answer[start : end + 1])
    except ValueError:
        return list(_strings(answer)) if not whole and f'"{_FIELD}"' in answer else None
    labels = value.get(_FIELD) if isinstance(value, dict) else None
    return [label for label in labels if isinstance(label, str)] if isinstance(labels, list) else None


def _strings(answer: str) -> Iterator[str]:
    """The strings that are whole, of a list that is cut."""
    for found in _STRING.findall(answer.partition("[")[2]):
        try:
            yield str(json.loads(found))
        except ValueError:
            continue


def _known(labels: Collection[str], names: Collection[str]) -> tuple[str, ...]:
    bare = (label.strip(" \t\n\r.\"'-*").lower() for label in labels)
    return tuple(dict.fromkeys(label for label in bare if label in names))[:MAX_LABELS]


def _tokens(reply: object) -> int:
    usage = reply.get("usage") if isinstance(reply, dict) else None
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return max(0, total) if isinstance(total, int) else 0
