"""What the classifier service takes and gives. The seed's fields come first; clients of the seed know those alone."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from hybrid_memory.classifier.port import Answer, Classifier, Maker
from hybrid_memory.schemas.events import MAX_TEXT

MAX_TEXTS = 1000
ClassifierSource = Literal["heuristic", "llm"]
_SOURCE_WORDS: Mapping[str, ClassifierSource] = {"rules": "heuristic", "llm": "llm"}


def _within_limits(text: str) -> str:
    """The text as it came, so that a client finds it again; white space at its ends does not count."""
    length = len(text.strip())
    if not length:
        raise PydanticCustomError("string_too_short", "String should have at least 1 character")
    if length > MAX_TEXT:
        raise PydanticCustomError("string_too_long", f"String should have at most {MAX_TEXT} characters")
    return text


Text = Annotated[str, AfterValidator(_within_limits)]


class ClassifyRequest(BaseModel):
    """A text to classify."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": {"text": "I love Thai food"}})

    text: Text = Field(description=f"1 to {MAX_TEXT:,} characters.")


class ClassifyBatchRequest(BaseModel):
    """Texts to classify."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"example": {"texts": ["I love sushi", "I hate cilantro"]}}
    )

    texts: Annotated[list[Text], Field(max_length=MAX_TEXTS, description=f"At most {MAX_TEXTS:,}.")]


class MadeBy(BaseModel):
    """Where classifiers come from."""

    source: Literal["rules", "llm"]
    model: str | None = None
    revision: str | None = None
    prompt: str | None = Field(default=None, description="Version of the prompt.")
    taxonomy: str | None = Field(default=None, description="Version of the taxonomy or of the rules.")

    @classmethod
    def of(cls, maker: Maker) -> Self:
        return cls(**asdict(maker))


_EXAMPLE: JsonDict = {
    "text": "I love sushi",
    "classifiers": ["food preference", "cuisine type"],
    "classifier_source": "llm",
    "made_by": {"source": "llm", "model": "Qwen/Qwen2.5-0.5B-Instruct", "prompt": "v1"},
}


class Classified(BaseModel):
    """A text and its classifiers; none, where nothing fits."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    text: str
    classifiers: list[str]
    classifier_source: ClassifierSource = Field(description="A language model, or the rules.")
    made_by: MadeBy
    fault: str | None = Field(
        default=None, description="Why the model cannot classify this text; the rules have done it."
    )

    @classmethod
    def of(cls, text: str, answer: Answer, fault: str | None = None, **more: Any) -> Self:
        return cls(
            text=text,
            classifiers=list(answer.classifiers),
            classifier_source=_SOURCE_WORDS[answer.maker.source],
            made_by=MadeBy.of(answer.maker),
            fault=fault,
            **more,
        )


class Item(Classified):
    """One text of a batch."""

    error: str | None = Field(
        default=None, description="Why the model failed on this text alone; the rules have done it."
    )


class ClassifiedMany(BaseModel):
    """A result a text, in their order."""

    model_config = ConfigDict(json_schema_extra={"example": {"results": [_EXAMPLE]}})

    results: list[Item]


class HealthReply(BaseModel):
    """The seed's health check, and who classifies."""

    status: Literal["ok"] = "ok"
    model: str
    device: str
    dtype: str
    made_by: MadeBy
    batch_size: int = Field(description="How many texts at once are fastest.")

    @classmethod
    def of(cls, classifier: Classifier) -> Self:
        maker = classifier.maker
        return cls(
            model=(maker.model or maker.source).rstrip("/").rpartition("/")[2],
            device=getattr(classifier, "device", "cpu"),
            dtype=getattr(classifier, "dtype", "float32"),
            made_by=MadeBy.of(maker),
            batch_size=classifier.batch_size,
        )
