"""Any OpenAI-compatible server as a classifier: vLLM, llama.cpp, Ollama and others."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

import httpx

from hybrid_memory.classifier.port import Answer, Classifier, Maker
from hybrid_memory.classifier.qwen.prompt import prompt_of
from hybrid_memory.classifier.remote.asking import found_out
from hybrid_memory.classifier.remote.caller import Caller, json_of
from hybrid_memory.classifier.remote.chat import Chat, UnusableError
from hybrid_memory.classifier.remote.loop import LoopThread
from hybrid_memory.classifier.taxonomies import taxonomy_of
from hybrid_memory.runtime.errors import Refusal, Unavailable
from hybrid_memory.runtime.settings import ClassifierSettings, Settings

_LOG = logging.getLogger(__name__)
_PATIENCE = 10.0
"""Seconds for which a request is tried again while the server is away or busy."""
_HARMLESS = "I like tea"
_CHARACTERS_PER_TOKEN = 4
_DEFAULT_MODEL = ClassifierSettings().model


class _Server(NamedTuple):
    """What was found out about the server."""

    model: str
    takes_schema: bool


class OpenAIClassifier(Classifier):
    """One request a text, so that texts cannot reach each other; `concurrency` of them at once.

    Whether the server takes a JSON schema is found out once, with a harmless text; after that a request that it
    refuses is the fault of its text.
    """

    def __init__(
        self, caller: Caller, chat: Chat, *, model: str | None, concurrency: int = 16, batch_size: int = 0
    ) -> None:
        """`model` None: the one that the server has."""
        self._caller = caller
        self._chat = chat
        self._wanted = model
        self._batch_size = batch_size or concurrency * 4
        self._server: _Server | None = None
        self._slots = asyncio.Semaphore(concurrency)
        self._finding = asyncio.Lock()
        self._loop = LoopThread("classifier-requests")

    @property
    def maker(self) -> Maker:
        model = self._wanted or _DEFAULT_MODEL if self._server is None else self._server.model
        taxonomy = self._chat.taxonomy
        return Maker(
            "llm", model, prompt=self._chat.prompt.version, taxonomy=None if taxonomy is None else taxonomy.version
        )

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def classify(self, texts: Sequence[str]) -> list[Answer]:
        return self._loop.run(self._classify(texts)) if texts else []

    def find_out(self) -> None:
        """Get to know the server now rather than with the first text.

        Raises:
            Unavailable: it is away.
            Refusal: it does not let us in, or is none of its kind.
        """
        self._loop.run(self._known(patience_s=0))

    def close(self) -> None:
        if not self._loop.closed:
            self._loop.run(self._caller.close())
            self._loop.close()

    async def _classify(self, texts: Sequence[str]) -> list[Answer]:
        server = await self._known()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._one(text, server)) for text in texts]
        except BaseExceptionGroup as several:  # one that cannot be had cancels the others
            raise several.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _one(self, text: str, server: _Server) -> Answer:
        async with self._slots:
            reply = await self._ask(text, server)
            if reply.status_code == 500 and not (await self._ask(_HARMLESS, server)).is_success:
                raise Unavailable(f"{self._caller} answers 500 to everything")
        if not reply.is_success:
            return Answer((), self.maker, f"the server refuses this text ({reply.status_code})")
        try:
            labels, tokens = self._chat.read(json_of(reply))
        except UnusableError as error:
            return Answer((), self.maker, str(error))
        return Answer(labels, self.maker, tokens=tokens)

    async def _ask(self, text: str, server: _Server, patience_s: float | None = None) -> httpx.Response:
        body = self._chat.body(server.model, text, server.takes_schema)
        return await self._caller.ask("POST", "chat/completions", body, patience_s)

    async def _known(self, patience_s: float | None = None) -> _Server:
        async with self._finding:
            if self._server is None:
                self._server = await self._found_out(patience_s)
                _LOG.info("the server answers", extra=self._server._asdict())
            return self._server

    async def _found_out(self, patience_s: float | None) -> _Server:
        model = self._wanted or await self._only_model(patience_s)
        for takes_schema in (True, False):
            server = _Server(model, takes_schema)
            reply = await self._ask(_HARMLESS, server, patience_s)
            if reply.is_success:
                self._check(reply)
                return server
        if reply.status_code == 500:
            raise Unavailable(f"{self._caller} answers 500")
        raise Refusal(f"{self._caller} refuses every request ({reply.status_code}); is the model {model} right?")

    def _check(self, reply: httpx.Response) -> None:
        body = json_of(reply)
        if not isinstance(body, dict) or not body.get("choices"):
            raise Refusal(f"{self._caller} does not answer as an OpenAI-compatible server does; is the URL right?")

    async def _only_model(self, patience_s: float | None) -> str:
        """The model of a server that has one alone; our default where it does not say."""
        body = json_of(await self._caller.ask("GET", "models", None, patience_s))
        listed = body.get("data") if isinstance(body, dict) else None
        names = [model.get("id") for model in listed if isinstance(model, dict)] if isinstance(listed, list) else []
        return str(names[0]) if len(names) == 1 else _DEFAULT_MODEL


def open_server(settings: Settings, patience_s: float = _PATIENCE) -> OpenAIClassifier:
    """The classifier of the server at `HM_CLASSIFIER__KIND`. One that is away is asked again when there are texts.

    Raises:
        Refusal: it does not let us in, is none of its kind, or prompt or taxonomy cannot be used.
    """
    given = settings.classifier
    key = None if given.api_key is None else given.api_key.get_secret_value()
    chat = _chat(settings)
    caller = Caller(
        _api(given.kind), "the model server", timeout_s=given.timeout_seconds, patience_s=patience_s, key=key
    )
    model = None if given.model == _DEFAULT_MODEL else given.model
    return found_out(
        OpenAIClassifier(caller, chat, model=model, concurrency=given.concurrency, batch_size=given.batch_size)
    )


def _chat(settings: Settings) -> Chat:
    given = settings.classifier
    taxonomy = taxonomy_of(settings) if given.mode == "taxonomy" else None
    return Chat(prompt_of(given), taxonomy, given.max_text_tokens * _CHARACTERS_PER_TOKEN)


def _api(url: str) -> str:
    """The root of the server's API, given with or without /v1."""
    root = url.rstrip("/").removesuffix("/chat/completions")
    return root if root.endswith("/v1") else f"{root}/v1"
