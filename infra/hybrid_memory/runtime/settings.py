"""Settings: read once in `main` from the environment, frozen, passed down.

Every name starts with `HM_`, parts are joined by `__`. `HM_KAFKA__<KEY>` sets any librdkafka key (dots as
underscores). `<NAME>_FILE` names a file that holds the value. A name that no setting has is refused.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from hybrid_memory.runtime.errors import Refusal

PREFIX = "HM_"
_SEED_NAMES = ("USE_CLASSIFIER_SERVICE", "CLASSIFIER_SERVICE_URL")
# Read by the tests, by hm before there are settings, or by other processes of the product.
_FOREIGN = ("HM_TEST_", "HM_KAFKA__")
_SECRET_WORDS = ("password", "secret", "key.pem", "token", "oauthbearer.config", "certificate.pem")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _listed(value: Any) -> Any:
    """A comma-separated text as its parts."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _classifier_kind(kind: str) -> str:
    if kind not in ("auto", "qwen", "rules") and not re.match(r"https?://[^/]", kind):
        raise ValueError("it must be auto, qwen, rules or the URL of a server")
    return kind


def _long_tokens(tokens: SecretStr | None) -> SecretStr | None:
    for token in _listed(tokens.get_secret_value()) if tokens is not None else ():
        if not re.fullmatch(r"[A-Za-z0-9_-]{24,256}", token):
            raise ValueError("each token is 24 to 256 letters, digits, - or _; make one with: hm mem0 webhook token")
    return tokens


def sendable(key: str, what: str = "a key") -> str:
    """A key as it can stand in a header; blanks around it are nobody's intention.

    Raises:
        ValueError: it cannot; the message does not show it.
    """
    text = key.strip()
    if not re.fullmatch(r"[!-~]*", text):
        raise ValueError(f"{what} has neither blanks nor letters beyond ASCII in it; copy it again")
    return text


def _long_secret(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < 32:
        raise ValueError("it is shorter than 32 bytes and could be guessed; make one with: openssl rand -base64 48")
    return secret


def _sendable(key: SecretStr | None) -> SecretStr | None:
    text = sendable(key.get_secret_value()) if key is not None else ""
    return SecretStr(text) if text else None


def _host_alone(url: str) -> str:
    if not re.fullmatch(r"https?://[^/\s?#@]+/?", url):
        raise ValueError("give scheme and host alone, such as https://api.mem0.ai")
    _ = urlsplit(url).port  # one that is none raises, and says so
    return url.rstrip("/")


def _web_address(url: str) -> str:
    if not re.match(r"https?://[^/\s]", url):
        raise ValueError("it must begin with http:// or https://, as http://127.0.0.1:6333 does")
    _ = urlsplit(url).port
    return url


def plain_name(name: str | None) -> str | None:
    """A name of a Mem0 as it may stand in the log, and in a group's name.

    Raises:
        ValueError: it is none.
    """
    if name is not None and not re.fullmatch(r"[A-Za-z0-9._:-]{1,100}", name):
        raise ValueError("a name is at most 100 letters, digits, dots, colons, - and _")
    return name


def _networks(addresses: tuple[str, ...]) -> tuple[str, ...]:
    for address in addresses:
        try:
            ipaddress.ip_network(address)
        except ValueError:
            raise ValueError(f"{address[:64]!r} is no address and no network such as 203.0.113.0/24") from None
    return addresses


Mem0Entity = Literal["user_id", "agent_id", "app_id", "run_id"]


class JwtSettings(_Section):
    """User tokens: their subject is the only user whose memories they reach."""

    secret: Annotated[SecretStr, AfterValidator(_long_secret)] | None = None
    """Of HS256 tokens; at least 32 bytes."""
    jwks_url: str | None = None
    """Where the issuer of RS256 tokens publishes its keys."""
    issuer: Annotated[str | None, Field(min_length=1)] = None
    audience: Annotated[str | None, Field(min_length=1)] = None
    leeway_seconds: Annotated[float, Field(ge=0, le=60)] = 10.0
    """How far the clock of the issuer may be off."""


class HttpSettings(_Section):
    """The search and write API."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    max_body_bytes: Annotated[int, Field(ge=1024)] = 8 * 1024 * 1024
    wait_ms: Annotated[int, Field(ge=0, le=60_000)] = 10_000
    """How long an insert waits until it is searchable, in milliseconds."""
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Origins whose pages may call, separated by commas."""
    request_seconds: Annotated[float, Field(gt=0)] = 90.0
    """How long a request may take, its body included."""
    keys_file: Path | None = None
    """API keys, made by `hm keys`; without it `keys.yaml` in the data folder, where there is one."""
    keys: SecretStr | None = None
    """More API keys: a list of entries as they stand in the file."""
    jwt: JwtSettings = JwtSettings()
    insecure: bool = False
    """Whether to listen on other addresses than the loopback without asking anybody for a key."""
    rate_per_second: Annotated[float | None, Field(ge=0)] = None
    """Requests of one caller; 0: any number. Without it 200, and any number on the loopback without keys."""
    rate_burst: Annotated[int, Field(ge=1)] = 400
    """Requests of one caller at once."""

    @model_validator(mode="after")
    def _patient(self) -> Self:
        if self.request_seconds <= self.wait_ms / 1000 + 10:
            raise ValueError("request_seconds must leave an insert its wait_ms, and Kafka 10 seconds besides")
        return self


class SinkSettings(_Section):
    """How the log is applied to the index."""

    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 256
    brake_window: Annotated[int, Field(ge=1)] = 1000
    brake_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    brake_in_a_row: Annotated[int, Field(ge=1)] = 500
    flush_seconds: Annotated[float, Field(gt=0)] = 5.0
    housekeeping_seconds: Annotated[float, Field(gt=0)] = 60.0
    expiry_grace_seconds: Annotated[float, Field(ge=0)] = 3600.0
    """How long after its expiry a memory is deleted from the log; it is hidden from searches at once."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8768
    """Probes and metrics of `hm sink`."""


class QdrantSettings(_Section):
    """A Qdrant server that holds the index; without a `url`, the index is embedded in `hm serve`."""

    url: Annotated[str, AfterValidator(_web_address)] | None = None
    """As http://host:6333 or https://host:6333; `https` encrypts gRPC too."""
    api_key: SecretStr | None = None
    tls_ca: Path | None = None
    """A PEM file of certificate authorities, where the server's certificate is of a private one."""
    collection: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "memories"
    prefer_grpc: bool = True
    grpc_port: Annotated[int, Field(ge=1, le=65535)] = 6334
    timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """For one request."""
    shards: Annotated[int | None, Field(ge=1)] = None
    """Of a new collection, as the next; without it, what the server chooses."""
    replicas: Annotated[int, Field(ge=1)] = 1
    poll_ms: Annotated[int, Field(ge=5, le=10_000)] = 20
    """How soon an insert that waits asks again whether it is searchable; each time it asks less often."""


class EmbedderSettings(_Section):
    """Who makes vectors. `hash` needs no model and no memory, and finds only shared words: for tests."""

    kind: Literal["sentence-transformers", "hash"] = "sentence-transformers"
    model: str = "all-MiniLM-L6-v2"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_size: Annotated[int, Field(ge=1)] = 32
    threads: Annotated[int, Field(ge=0)] = 0
    """How many batches are embedded side by side, a core each; 0: as many as there are cores."""


class ClassifierSettings(_Section):
    """Who makes the better classifiers, and how."""

    kind: Annotated[str, AfterValidator(_classifier_kind)] = "auto"
    """`qwen` by transformers, `rules` alone, the URL of an OpenAI-compatible server, or `auto`: what can be had."""
    model: str = "Qwen/Qwen2.5-0.5B-Instruct"
    """A folder with weights, or a model hub's name for them; for a server, what it calls the model."""
    revision: str | None = None
    """Of the hub's weights; without it, the newest."""
    mode: Literal["open", "taxonomy"] = "open"
    """Short noun phrases of the model's own, or only labels of the taxonomy."""
    taxonomy: Path | None = None
    """A YAML file of labels; without it, the shipped one."""
    prompt: Path | None = None
    """A YAML file; without it, the shipped one."""
    generation: Annotated[int, Field(ge=1, lt=2**31)] = 1
    """Raise it with a new model, prompt or taxonomy."""
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    batch_size: Annotated[int, Field(ge=0, le=65_536)] = 0
    """Texts at once; 0: what suits the hardware."""
    max_text_tokens: Annotated[int, Field(ge=16, le=8192)] = 512
    """A longer text is classified by its beginning."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Cores for the model; 0: all."""
    api_key: SecretStr | None = None
    """For a server, or the classifier service."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    """Requests to a server at once."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    """For one request to a server."""


class StreamSettings(_Section):
    """The classifier stream."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8767
    """Probes and metrics."""
    group: str = Field(default="hm-classify", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    batch_size: Annotated[int, Field(ge=0, le=65_536)] = 0
    """Records at once; 0: what suits the classifier."""
    wait_seconds: Annotated[float, Field(gt=0, le=2)] = 0.2
    """How long a batch that is not full waits for more."""
    stuck_seconds: Annotated[float, Field(gt=0)] = 600.0
    """A batch that takes longer ends the process, so that it is started anew."""
    nice: Annotated[int, Field(ge=0, le=19)] = 10
    """How far it stands back for other processes on its machine; 0: not at all."""
    brake_window: Annotated[int, Field(ge=1)] = 200
    brake_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    brake_in_a_row: Annotated[int, Field(ge=1)] = 50


class ServiceSettings(_Section):
    """The classifier service."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8766
    max_body_bytes: Annotated[int, Field(ge=1024)] = 8 * 1024 * 1024
    gather_ms: Annotated[float, Field(ge=0, le=1000)] = 5.0
    """How long a single text waits for others, so that they are classified together."""
    queue_texts: Annotated[int, Field(ge=1)] = 4096
    """Texts that may wait; beyond it a request is refused with 429."""


class WebhookSettings(_Section):
    """Where Mem0's platform tells us of changes."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8769
    """Of `hm mem0 webhook`."""
    tokens: Annotated[SecretStr | None, AfterValidator(_long_tokens)] = None
    """What the URL ends in: at least 24 characters each, several separated by commas while one replaces another."""
    allow: Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_networks)] = ()
    """Addresses and networks that may call, separated by commas; without it, all."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 1024 * 1024
    in_serve: bool = False
    """Whether `hm serve` takes them too."""


class Mem0OssSettings(_Section):
    """Mem0's open-source memory: the tap in its process, and `hm mem0 tail` beside it."""

    name: Annotated[str | None, AfterValidator(plain_name)] = None
    """What tells this Mem0 from others in the same log; without it, the name of its collection."""
    outbox: Path | None = None
    """The tap's file; without it, one in the data folder."""
    outbox_bytes: Annotated[int, Field(ge=1024 * 1024)] = 256 * 1024 * 1024
    """How large it may become while Kafka is away."""
    qdrant_url: Annotated[str, AfterValidator(_web_address)] = "http://127.0.0.1:6333"
    """Of the tail: where Mem0 keeps its memories."""
    qdrant_api_key: SecretStr | None = None
    collection: Annotated[str, Field(min_length=1)] = "mem0"
    """Of the tail, as the next: Mem0's `collection_name`."""
    poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 0.5


class Mem0Settings(_Section):
    """Mem0's platform, whose changes are taken over where an `api_key` is given."""

    api_key: Annotated[SecretStr | None, AfterValidator(_sendable)] = None
    url: Annotated[str, AfterValidator(_host_alone)] = "https://api.mem0.ai"
    timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    """For one request."""
    rate_per_second: Annotated[float, Field(gt=0)] = 20.0
    """Requests of one process."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 8
    """Requests of one process at once."""
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Hints that are followed together."""
    page_size: Annotated[int, Field(ge=1, le=200)] = 100
    """Memories, or events, in one page."""
    feed_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How often `hm mem0 follow` looks for events."""
    feed_overlap_seconds: Annotated[float, Field(gt=0)] = 300.0
    """How late an event may appear in the feed."""
    user_from: Annotated[tuple[Mem0Entity, ...], BeforeValidator(_listed), Field(min_length=1)] = (
        "user_id",
        "agent_id",
        "app_id",
        "run_id",
    )
    """Whose a memory is here: the first of these ids that it has; all but a user_id with a prefix."""
    categories: Literal["ignore", "hint", "provided"] = "hint"
    """What becomes of Mem0's categories: nothing, a note in the metadata, or the memory's classifiers."""
    superseded: Literal["keep", "remove"] = "keep"
    """What becomes of a memory that a newer one contradicts: Mem0 itself keeps showing it."""
    write_back: bool = False
    """Whether classifiers are written to Mem0's metadata."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8770
    """Probes and metrics of `hm mem0 publish`."""
    webhook: WebhookSettings = WebhookSettings()
    oss: Mem0OssSettings = Mem0OssSettings()


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "text"] = "auto"


class _Environment(PydanticBaseSettingsSource):
    """The environment as nested values; our own so that `_FILE` and exact errors work alike at every depth."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in _resolved(os.environ):
            *path, last = name.lower().split("__")
            section = values
            for step in path:
                section = section.setdefault(step, {})
            section[last] = value
        return values


class Settings(BaseSettings):
    """Everything that can be set; see `hm config`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(default_factory=lambda: _platform_dir("data"))
    cache_dir: Path = Field(default_factory=lambda: _platform_dir("cache"))
    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,100}$")
    kafka: dict[str, str] = Field(default_factory=dict, repr=False)
    http: HttpSettings = HttpSettings()
    sink: SinkSettings = SinkSettings()
    qdrant: QdrantSettings = QdrantSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    classifier: ClassifierSettings = ClassifierSettings()
    stream: StreamSettings = StreamSettings()
    service: ServiceSettings = ServiceSettings()
    mem0: Mem0Settings = Mem0Settings()
    log: LogSettings = LogSettings()
    api_key: SecretStr | None = None
    """Of the commands that ask a running service; where it asks for keys."""
    expect_stream: bool = False
    """Whether a classifier stream is expected to improve on the rules; so it is where a classifier service is used."""
    use_classifier_service: bool = False
    classifier_service_url: str | None = None

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _service_has_a_stream(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {"expect_stream": given.get("use_classifier_service", False), **given}

    @field_validator("kafka")
    @classmethod
    def _dotted(cls, values: dict[str, str]) -> dict[str, str]:
        return {key.lower().replace("_", "."): value for key, value in values.items()}

    @property
    def bootstrap_servers(self) -> str:
        """Where Kafka is.

        Raises:
            Refusal: nobody said.
        """
        servers = self.kafka.get("bootstrap.servers")
        if not servers:
            raise Refusal("no Kafka is named; set HM_KAFKA__BOOTSTRAP_SERVERS=host:port, or start one with: hm up")
        return servers

    def kafka_secret(self, key: str) -> SecretStr | str:
        """A librdkafka value, wrapped where its name says that it is secret."""
        value = self.kafka[key]
        return SecretStr(value) if any(word in key for word in _SECRET_WORDS) else value


def load_settings(**given: Any) -> Settings:
    """The settings of this process: `given` (the command line; what is None was not), else the environment, else
    defaults. A section is given as a dict: `http={"port": 1234}`.

    Raises:
        Refusal: a name is unknown, a value is wrong, or a `_FILE` cannot be read; the sentence says which.
    """
    _refuse_unknown(os.environ)
    try:
        return Settings(**_without_none(given))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = PREFIX + "__".join(str(step) for step in first["loc"]).upper()
        raise Refusal(f"setting {name}: {first['msg'].removeprefix('Value error, ')}") from None


def known_names() -> set[str]:
    """The environment name of every setting."""
    return set(_names(Settings, PREFIX)) | set(_SEED_NAMES)


def effective(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Each setting as (name, value with secrets hidden, where it came from)."""
    for name, value in _flatten(settings):
        if name in os.environ:
            origin = f"environment {name}"
        elif f"{name}_FILE" in os.environ and f"{name}_FILE" not in known_names():
            origin = f"file {os.environ[f'{name}_FILE']}"
        else:
            origin = "default"
        yield name, str(value), origin


def _flatten(settings: Settings) -> Iterator[tuple[str, object]]:
    for field in Settings.model_fields:
        value = getattr(settings, field)
        name = field.upper() if field.upper() in _SEED_NAMES else PREFIX + field.upper()
        if field == "kafka":
            for key in value:
                yield f"{name}__{key.upper().replace('.', '_')}", settings.kafka_secret(key)
        else:
            yield from _flat(name, value)


def _flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        for key, item in value:
            yield from _flat(f"{name}__{key.upper()}", item)
    else:
        yield name, value


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, dict) else value
        for name, value in given.items()
        if value is not None
    }


def _platform_dir(kind: Literal["data", "cache"]) -> Path:
    try:
        import platformdirs
    except ImportError:  # the light client needs no folder
        return Path.home() / f".hybrid-memory-{kind}"
    find = platformdirs.user_data_path if kind == "data" else platformdirs.user_cache_path
    return find("hybrid-memory", appauthor=False)


def _resolved(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name without prefix, value) of each of our variables, files read, nothing empty."""
    known = known_names()
    for name, value in environ.items():
        if not value or name.startswith("HM_TEST_"):
            continue
        short = name if name in _SEED_NAMES else name.removeprefix(PREFIX)
        if short == name and name not in _SEED_NAMES:
            continue
        if name.endswith("_FILE") and name not in known:
            short, value = short.removesuffix("_FILE"), _read_secret(name, value)
        yield short, value


def _read_secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, ValueError) as error:
        raise Refusal(f"setting {name}: cannot read {path} ({type(error).__name__})") from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = known_names()
    for name in environ:
        if not name.startswith(PREFIX) or name.startswith(_FOREIGN) or name.removesuffix("_FILE") in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "see all with: hm config"
        raise Refusal(f"setting {name} is not known; {hint}")


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _names(annotation, f"{prefix}{name.upper()}__")
        else:
            yield prefix + name.upper()
