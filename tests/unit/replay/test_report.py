"""The HTML report: one file, well formed, asking for nothing, and every text in it escaped."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid_memory.replay.churn import Change
from hybrid_memory.replay.comparison import Comparison, count_up
from hybrid_memory.replay.overlap import Found
from hybrid_memory.replay.report.figures import percent
from hybrid_memory.replay.report.markup import Markup, short, tag, text
from hybrid_memory.replay.report.page import page

_VOID = {"meta", "br"}
_PAGE = "html head meta title style body header footer main section div p h1 h2 span b table thead tbody tr th td"
_PLOT = "ol li br details summary svg g text tspan rect line path circle"
_TAGS = {*_PAGE.split(), *_PLOT.split()}
HOSTILE = '<script>alert(1)</script>"\'><img src="http://evil.example/x" onerror=x>&amp;\u202e\x00\x1b[31m'
TEXTS = st.text(max_size=60) | st.just(HOSTILE)
LABELS = st.lists(TEXTS.filter(bool), unique=True, max_size=4).map(tuple)
CHANGES = st.lists(
    st.builds(Change, TEXTS, TEXTS, TEXTS, LABELS, LABELS, TEXTS, TEXTS),
    max_size=4,
    unique_by=lambda it: (it.user_id, it.memory_id),
)


class Checker(HTMLParser):
    """Refuses elements that are not closed, not known, or have an attribute that does something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "href", "style", "xlink:href", "action", "srcset")
            assert "url(" not in (value or "")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def check(html: str) -> str:
    """The text of a page that is sound."""
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == []
    return "".join(checker.said)


def made(changes: list[Change], searches: list[Found] | None = None, job: str = "job") -> str:
    counted = count_up(changes, 5)
    return page(Comparison(job, {"generation": "2"}, counted.churn, counted.examples, searches))


@settings(max_examples=30)
@given(CHANGES, TEXTS)
def test_no_text_gets_out_of_its_place(changes: list[Change], job: str) -> None:
    searches = [Found(it.user_id, it.text, ("a", "b"), ("b", "c"), dict.fromkeys("abc", it.text)) for it in changes]
    check(made(changes, searches or None, job))


def test_what_a_memory_says_is_shown_as_it_is() -> None:
    html = made([Change(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), ())])
    assert "<script" not in html
    assert "<img" not in html
    said = check(html)
    assert '<script>alert(1)</script>"\'><img src="http://evil.example/x" onerror=x>&amp;' in said
    assert not set("\u202e\x00\x1b") & set(html)


def test_it_asks_for_nothing_from_elsewhere() -> None:
    html = made([Change("ann", "m", "text", ("a",), ("b",))])
    assert "http" not in html.replace('http-equiv="Content-Security-Policy"', "")
    assert "default-src &#x27;none&#x27;" in html
    assert not re.search(r"@import|url\(", html)
    assert "prefers-color-scheme: dark" in html


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([], "None of 0 memories gets other classifiers."),
        ([Change("ann", "m", "text", ("a",), ("a",))], "None of 1 memory gets other classifiers."),
        ([Change("ann", "m", "text", (), ())], "None of 1 memory gets other classifiers."),
        ([Change("ann", "m", "text", ("a",), ("b",))], "1 of 1 memory get other classifiers."),
    ],
)
def test_small_jobs_have_a_page_too(changes: list[Change], says: str) -> None:
    assert says in check(made(changes))


def test_the_checker_refuses_what_is_not_sound() -> None:
    for wrong in (
        "<p>",
        "<script></script>",
        '<p onclick="x"></p>',
        '<svg><rect style="url(x)"></rect></svg>',
        "<p></b>",
    ):
        with pytest.raises(AssertionError):
            check(wrong)


def test_markup_is_not_escaped_twice_and_text_always_once() -> None:
    assert (
        tag("p", tag("b", "<"), "&", class_="x", aria_label='"')
        == '<p class="x" aria-label="&quot;"><b>&lt;</b>&amp;</p>'
    )
    assert tag("meta", name="a", content=None) == '<meta name="a">'
    assert isinstance(text("a"), Markup)
    assert text("a\u200db\x07") == "a\u200db�"


@given(st.text(), st.integers(1, 40))
def test_short_is_short_and_on_one_line(value: str, most: int) -> None:
    assert len(short(value, most)) <= most
    assert "\n" not in short(value, most)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (1, "100 %"), (0.5, "50 %"), (0.123, "12.3 %"), (0.0001, "< 0.1 %"), (0.99999, "> 99.9 %")],
)
def test_percent(share: float, said: str) -> None:
    assert percent(share) == said
