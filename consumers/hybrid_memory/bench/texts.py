"""What the benchmark stores and asks: texts from a file, or made up from templates with a fixed seed."""

import csv
import io
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter
from typing import Any

from hybrid_memory.runtime.errors import Refusal

_FORMS = (
    "I {feel} {dish} at {place}",
    "I {feel} {dish}, but not when {person} cooks it",
    "{person} and I had {dish} at {place} last {month}",
    "My {relative} {person} is allergic to {food}, so we never order {dish}",
    "I watched {film} with {person} and cried at the end",
    "My favourite film is {film}; I have seen it {number} times",
    "I am reading a book about {subject} that {person} lent me in {month}",
    "I listen to {music} when I {activity} in the morning",
    "{person} plays {music} on the {instrument} every {day}",
    "Every {day} at {number} o'clock I {activity} near {place}",
    "I want to {activity} more often, at least {number} times a week",
    "The project about {subject} is due on {month} {number}",
    "At work I write {language} for a team of {number} people that looks after {subject}",
    "My manager {person} prefers short notes in {language} and no meetings on {day}",
    "I moved to {city} in {month}; my {relative} still lives in {city}",
    "We are flying to {city} on {month} {number}, and {person} takes care of the {animal}",
    "My {animal} is called {person} and is afraid of {music}",
    "I take my coffee without {food}, and never after {number} in the afternoon",
    "The doctor told me to avoid {food} until {month}",
    "{person}'s birthday is on {month} {number}; a book about {subject} would make a good present",
    "I dropped my phone near {place} and {person} found it",
    "I {feel} {city} in {month}, when it is quiet and one can {activity} by the river",
    "I am learning to play the {instrument}; my teacher {person} comes every {day}",
    "Remind me to call my {relative} {person} before {day}, it is about {subject}",
)
_WORDS = {
    "feel": "love,like,can't stand,miss,have grown fond of,always look forward to",
    "dish": "ramen,lentil soup,grilled sardines,mushroom risotto,fish tacos,pierogi,a good dal,sushi,pumpkin curry,"
    "cheese fondue,pho,falafel,shakshuka,apple pie,black bean stew,moussaka",
    "place": "the small place behind the station,the harbour,the old market hall,Luigi's on Mill Street,the park cafe,"
    "the night market,the corner bakery,the botanical garden,the office canteen,the beach bar,the cinema",
    "person": "Anna,Tomasz,Priya,Ken,Lucia,Omar,Freya,Mateo,Yuki,Clara,Idris,Nadia,Sven,Elif,Bruno,Mei",
    "month": "January,February,March,April,May,June,July,August,September,October,November,December",
    "relative": "sister,brother,aunt,cousin,grandfather,daughter,son,uncle,niece,mother-in-law",
    "food": "peanuts,milk,shellfish,gluten,sugar,garlic,raw onions,mushrooms,eggs,coriander",
    "film": "an old western,a documentary about whales,the new science fiction film,a silent film,a courtroom drama,"
    "that animated film about the bath house,a heist film,a black and white comedy,a slow film about a farm",
    "number": "two,three,four,five,six,seven,eight,nine,ten,eleven,twelve",
    "subject": "medieval trade,bird migration,the history of maps,solar panels,tax law,deep sea cables,urban bees,"
    "glaciers,chess openings,garden design,vaccines,bridges,old clocks,sourdough,railway timetables",
    "music": "jazz piano,baroque music,punk,film scores,Brazilian guitar,techno,choral music,hip hop,folk songs,opera",
    "activity": "run,swim,cycle,meditate,paint,stretch,walk the dog,write letters,practise Spanish,row,climb",
    "instrument": "cello,trumpet,piano,accordion,violin,drums,oboe,ukulele",
    "day": "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday",
    "language": "Python,Rust,TypeScript,Go,Kotlin,plain English,German,Portuguese",
    "city": "Lisbon,Utrecht,Kyoto,Montreal,Ghent,Bogotá,Leipzig,Trieste,Bergen,Hanoi,Valencia,Cork",
    "animal": "cat,dog,parrot,rabbit,tortoise",
}
_LISTS = {name: words.split(",") for name, words in _WORDS.items()}
_TRIES = 20
LONGEST = 16_384
"""Characters of a memory's text, as its schema says."""


def made_up(count: int, seed: int) -> list[str]:
    """So many different short memories; the same ones for the same seed."""
    rng = random.Random(seed)
    made: dict[str, None] = {}
    for number in range(count):
        text = next((text for text in (_one(rng) for _ in range(_TRIES)) if text not in made), None)
        made[text or f"{_one(rng)} (note {number})"] = None
    return list(made)


def questions(texts: Iterable[str], count: int, seed: int) -> list[str]:
    """Queries about some of these texts: the words of one that say the most, as a person would ask for it."""
    rng = random.Random(seed)
    pool = list(texts)
    return [f"What do you know about {_tail(rng.choice(pool))}?" for _ in range(count)]


def read_texts(path: Path) -> list[str]:
    """The texts of a file: one a line, or the `text` of each row (.csv), object (.json) or line (.jsonl, .ndjson).

    Raises:
        Refusal: it cannot be read, or holds no text; the sentence says what is wrong with it.
    """
    readers = {".csv": _csv, ".json": _json, ".jsonl": _json_lines, ".ndjson": _json_lines}
    try:
        content = path.read_text(encoding="utf-8-sig")
        texts = readers.get(path.suffix.lower(), str.splitlines)(content)
        found = [text for text in (str(text).strip() for text in texts) if text]
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refusal(f"{path} has no texts; give one text a line, or a CSV or JSON with a `text` column") from None
    if not found:
        raise Refusal(f"{path} holds no text")
    if (longest := max(map(len, found))) > LONGEST:
        raise Refusal(f"{path} holds a text of {longest:,} characters; a memory has at most {LONGEST:,}")
    return list(dict.fromkeys(found))


def _one(rng: random.Random) -> str:
    form = rng.choice(_FORMS)
    fields = [name for _, name, _, _ in Formatter().parse(form) if name]
    words = {name: rng.choice(_LISTS[name]) for name in fields}
    text = form.format_map(words)
    return text[0].upper() + text[1:]


def _tail(text: str) -> str:
    words = text.rstrip(".?!").split()
    return " ".join(words[-min(7, len(words)) :])


def _csv(content: str) -> Iterator[str]:
    for row in csv.DictReader(io.StringIO(content, newline="")):
        yield row["text"] or ""


def _json(content: str) -> Iterator[str]:
    items = json.loads(content)
    if not isinstance(items, list):
        raise TypeError("not a list")
    return map(_text_of, items)


def _json_lines(content: str) -> Iterator[str]:
    return (_text_of(json.loads(line)) for line in content.splitlines() if line.strip())


def _text_of(item: Any) -> str:
    text = item if isinstance(item, str) else item["text"]
    if not isinstance(text, str):
        raise TypeError("a text is no text")
    return text
