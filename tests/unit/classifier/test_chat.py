"""What is read from a server's reply: whatever it says, classifiers in their form or a clear no."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid_memory.classifier import default_taxonomy
from hybrid_memory.classifier.port import Answer, Maker
from hybrid_memory.classifier.qwen.prompt import default_prompt
from hybrid_memory.classifier.remote.chat import Chat, UnusableError
from tests.unit.classifier.contract import check_form

OPEN = Chat(default_prompt(), None, 2048)
BY_TAXONOMY = Chat(default_prompt(), default_taxonomy(), 2048)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("classifiers"), inner),
    max_leaves=10,
)


def reply(content: object, finish: str = "stop") -> dict[str, Any]:
    return {"choices": [{"message": {"content": content}, "finish_reason": finish}], "usage": {"total_tokens": 9}}


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        ("food preference, thai cuisine", ("food preference", "thai cuisine")),
        ("none", ()),
        ('{"classifiers": ["Food preference", "food preference", "a", "b", "c"]}', ("food preference", "a", "b")),
        ('{"classifiers": []}', ()),
        ('{"classifiers": ["none"]}', ()),
        ('```json\n{"classifiers": ["tea"]}\n```', ("tea",)),
        ('Here you are: {"classifiers": ["tea"]} Enjoy!', ("tea",)),
        ('{"classifiers": ["tea", 7, null]}', ("tea",)),
        ('{"classifiers": ["The user says that he likes tea. And more."]}', None),
        ('{"labels": ["tea"]}', None),
        ('{"classifiers": "tea"}', None),
        ("The user likes tea. He said so.", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_a_free_answer(content: object, labels: tuple[str, ...] | None) -> None:
    if labels is None:
        with pytest.raises(UnusableError):
            OPEN.read(reply(content))
    else:
        assert OPEN.read(reply(content)) == (labels, 9)


def test_of_an_answer_that_is_cut_what_is_whole_counts() -> None:
    assert OPEN.read(reply('{"classifiers": ["tea", "green t', "length"))[0] == ("tea",)
    assert OPEN.read(reply("tea, green t", "length"))[0] == ("tea",)


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        ('{"classifiers": ["Family", "spaceship"]}', ("family",)),
        ("family, spaceship.", ("family",)),
        ("Residence.", ("residence",)),
        ("none", ()),
        ("I do not know", ()),
    ],
)
def test_an_answer_by_taxonomy(content: str, labels: tuple[str, ...]) -> None:
    assert BY_TAXONOMY.read(reply(content))[0] == labels


@given(st.one_of(JSON, JSON.map(reply), JSON.map(json.dumps).map(reply), st.text().map(reply)))
def test_whatever_it_is(body: object) -> None:
    for chat in (OPEN, BY_TAXONOMY):
        try:
            labels, tokens = chat.read(body)
        except UnusableError:
            continue
        check_form(Answer(labels, Maker("llm"), tokens=tokens))
        assert len(labels) <= 3


@given(st.text(min_size=1), st.booleans())
def test_a_text_changes_nothing_but_the_last_turn(text: str, as_json: bool) -> None:
    for chat in (OPEN, BY_TAXONOMY):
        asked, other = chat.body("m", text, as_json), chat.body("m", "another", as_json)
        last = asked["messages"][-1]
        assert last["role"] == "user"
        assert "<|" not in last["content"]
        asked["messages"], other["messages"] = asked["messages"][:-1], other["messages"][:-1]
        assert asked == other
