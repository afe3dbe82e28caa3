"""A classifier service as a classifier: ours, or the one of the seed, which knows fewer fields."""

import logging
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from hybrid_memory.classifier.port import Answer, Classifier, Maker
from hybrid_memory.classifier.remote.asking import found_out
from hybrid_memory.classifier.remote.caller import Caller, json_of
from hybrid_memory.classifier.remote.loop import LoopThread
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import Settings
from hybrid_memory.schemas.events import MAX_CLASSIFIERS

_LOG = logging.getLogger(__name__)
_MAX_CHARACTERS = 64
_MAX_TEXTS = 1000
_BATCH_SIZE = 16
"""For a service that does not say: the seed's needs 1.5 s a text, and the answer is waited for a minute."""


class ServiceClassifier(Classifier):
    """Asks `/classify_batch`. Who classified is what the service says of each text, else what its `/health` says."""

    def __init__(self, caller: Caller, batch_size: int = 0) -> None:
        self._caller = caller
        self._batch_size = batch_size
        self._maker: Maker | None = None
        self._suits = _BATCH_SIZE
        self._loop = LoopThread("classifier-service")

    @property
    def maker(self) -> Maker:
        return self._maker or Maker("llm")

    @property
    def batch_size(self) -> int:
        return self._batch_size or self._suits

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        return self._loop.run(self._classify(texts)) if texts else []

    def find_out(self) -> None:
        """Ask the service now who classifies.

        Raises:
            Unavailable: it is away, or still loading its model.
            Refusal: it does not let us in, or is none of its kind.
        """
        self._loop.run(self._ask_health())

    def close(self) -> None:
        if not self._loop.closed:
            self._loop.run(self._caller.close())
            self._loop.close()

    async def _classify(self, texts: Sequence[str]) -> list[Answer]:
        if self._maker is None:
            await self._ask_health()
        try:
            reply = await self._caller.ask("POST", "classify_batch", {"texts": list(texts)})
        except Unavailable:
            self._maker = None  # who knows what comes back
            raise
        if reply.status_code == 422 and len(texts) == 1:
            return [Answer((), self.maker, "the classifier service refuses this text")]
        if not reply.is_success:
            raise ValueError(f"{self._caller} answers {reply.status_code} to {len(texts)} texts")
        return [self._answer(result) for result in self._results(reply)]

    def _results(self, reply: httpx.Response) -> list[Mapping[str, Any]]:
        body = json_of(reply)
        results = body.get("results") if isinstance(body, dict) else None
        if not isinstance(results, list) or not all(_is_result(result) for result in results):
            raise Refusal(f"{self._caller} does not answer as a classifier service does; is the URL right?")
        return results

    def _answer(self, result: Mapping[str, Any]) -> Answer:
        fault = result.get("error") or result.get("fault")
        maker = _maker_of(result.get("made_by")) or self.maker
        return Answer(_labels(result["classifiers"]), maker, None if fault is None else str(fault))

    async def _ask_health(self) -> None:
        reply = await self._caller.ask("GET", "health")
        if reply.status_code == 500:
            raise Unavailable(f"{self._caller} answers 500")
        body = json_of(reply)
        if not isinstance(body, dict) or not reply.is_success:
            raise Refusal(f"{self._caller} does not answer as a classifier service does; is the URL right?")
        model, suits = body.get("model"), body.get("batch_size")
        self._maker = _maker_of(body.get("made_by")) or Maker("llm", model if isinstance(model, str) else None)
        self._suits = min(suits, _MAX_TEXTS) if isinstance(suits, int) and suits > 0 else _BATCH_SIZE


def open_service(settings: Settings) -> ServiceClassifier:
    """The classifier of the service at `CLASSIFIER_SERVICE_URL`. One that is away is asked again when there are texts.

    Raises:
        Refusal: no URL is given, it does not let us in, or it is no classifier service.
    """
    url = settings.classifier_service_url
    if url is None:
        raise Refusal("no classifier service is named; set CLASSIFIER_SERVICE_URL=http://host:8766")
    key = settings.classifier.api_key
    caller = Caller(
        url,
        "the classifier service",
        key=None if key is None else key.get_secret_value(),
        timeout_s=settings.classifier.timeout_seconds,
    )
    return found_out(ServiceClassifier(caller, settings.classifier.batch_size))


def _is_result(result: object) -> bool:
    return isinstance(result, dict) and isinstance(result.get("classifiers"), list)


def _labels(given: Sequence[object]) -> tuple[str, ...]:
    """What the service said, within the limits of classifiers."""
    labels = (" ".join(label.lower().split()) for label in given if isinstance(label, str))
    fitting = (label for label in labels if 0 < len(label) <= _MAX_CHARACTERS and not any(map(_is_control, label)))
    return tuple(dict.fromkeys(fitting))[:MAX_CLASSIFIERS]


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs")


def _maker_of(said: object) -> Maker | None:
    if not isinstance(said, dict) or said.get("source") not in ("rules", "llm"):
        return None
    named = {name: said.get(name) for name in ("model", "revision", "prompt", "taxonomy")}
    return Maker(said["source"], **{name: value for name, value in named.items() if isinstance(value, str)})
