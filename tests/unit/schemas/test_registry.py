"""The registry says what the architecture says, and refuses to contradict itself."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

import pytest
import yaml

from hybrid_memory.schemas import CLASSIFIED, MEMORIES, RegistryError
from hybrid_memory.schemas.codec import CLASSIFIED_TYPE, DELETED_TYPE, UPSERTED_TYPE
from hybrid_memory.schemas.json_schema import MODELS
from hybrid_memory.schemas.mem0 import MESSAGES as MEM0_MESSAGES
from hybrid_memory.schemas.registry import TopicSpec, load_registry, read_registry
from hybrid_memory.schemas.replays import MESSAGES

DAY = 24 * 60 * 60 * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped registry, to be broken."""
    with as_file(files("hybrid_memory.schemas")) as shipped:
        for name in ("topics", "json", "examples"):
            shutil.copytree(shipped / name, tmp_path / name)
    return tmp_path


def test_it_holds_the_topics_of_the_architecture() -> None:
    assert load_registry().list() == (
        "dlq.mem0.hints",
        "dlq.memories",
        "dlq.memories.classified",
        "mem0.hints",
        "memories",
        "memories.classified",
        "replays",
        "replays.results",
    )
    assert len(load_registry()) == 8


@pytest.mark.parametrize("topic", list(load_registry()), ids=lambda topic: str(topic.name))
def test_every_topic_is_as_the_architecture_says(topic: TopicSpec) -> None:
    bad = topic.name.startswith("dlq.")
    assert topic.config["cleanup.policy"] == ("compact,delete" if bad else "compact")
    assert topic.config.get("retention.ms") == (str(90 * DAY) if bad else None)
    assert topic.config["min.compaction.lag.ms"] == str(DAY)
    assert topic.config["delete.retention.ms"] == str(30 * DAY)
    assert topic.config["compression.type"] == "zstd"
    assert topic.partitions == load_registry().topic(MEMORIES).partitions


def test_the_codec_and_the_registry_name_the_same_messages() -> None:
    types = {message.type for topic in load_registry() for message in topic.messages}
    ours = {f"io.hybrid-memory.{name}" for name in (*MESSAGES.values(), *MEM0_MESSAGES.values())}
    assert types == {UPSERTED_TYPE, DELETED_TYPE, CLASSIFIED_TYPE} | ours
    ids = {message.id for topic in load_registry() for message in topic.messages if message.schema_file}
    assert ids == set(MODELS)
    assert CLASSIFIED in load_registry().list()


def test_a_topic_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(RegistryError, match=r"no topic 'memory' in the registry; there are dlq\.mem0\.hints, dlq"):
        load_registry().topic("memory")


def test_another_partition_count_is_one_for_all_topics() -> None:
    assert {topic.partitions for topic in load_registry().with_partitions(32)} == {32}
    with pytest.raises(ValueError, match="at least one partition"):
        load_registry().with_partitions(0)


def edit(topic: str, old: str, new: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        path = root / "topics" / f"{topic}.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


CONTRADICTIONS: list[tuple[str, Callable[[Path], object], str]] = [
    (
        "dlq count",
        edit("dlq.memories", "partitions: 8", "partitions: 4"),
        "dlq.memories has 4 partitions and memories has 8",
    ),
    ("copartition", edit(CLASSIFIED, "partitions: 8", "partitions: 9"), "memories.classified has 9 partitions"),
    (
        "dlq too small",
        edit("dlq.memories", "1114124", "1048588"),
        "dlq.memories cannot hold the largest record of memories",
    ),
    (
        "dlq name",
        edit("dlq.memories", "letters_of: memories", "letters_of: memories.classified"),
        "should be dlq.memories.cl",
    ),
    ("partner away", lambda root: (root / "topics" / "memories.yaml").unlink(), "which the registry does not hold"),
    ("version gap", edit(CLASSIFIED, "version: 1", "version: 2"), r"versions of memory.classified are \[2\]"),
    ("other type", edit(MEMORIES, "deleted.v1", "removed.v1"), "the type io.hybrid-memory.memory.removed.v1 is not"),
    ("no schema", lambda root: (root / "json/memory.upserted.v1.schema.json").unlink(), "upserted.v1 has no schema at"),
    (
        "no examples",
        lambda root: shutil.rmtree(root / "examples/memory.classified.v1"),
        "classified.v1 has no examples",
    ),
    ("no policy", edit(MEMORIES, "cleanup.policy: compact", ""), "config leaves cleanup.policy to the broker"),
    (
        "misspelt",
        edit(MEMORIES, "partitions: 8", "partition: 8"),
        "memories.yaml: partitions: Field required; partition: Ext",
    ),
    ("other file", edit(MEMORIES, "name: memories\n", "name: memory\n"), "its file should be memory.yaml"),
    (
        "half a message",
        edit(MEMORIES, "    schema: json/memory.upserted.v1.schema.json\n", ""),
        "needs both a schema and ex",
    ),
    ("not YAML", edit(MEMORIES, "name:", "[name:"), "topics/memories.yaml is not YAML"),
]


@pytest.mark.parametrize(
    ("spoil", "says"), [case[1:] for case in CONTRADICTIONS], ids=[case[0] for case in CONTRADICTIONS]
)
def test_a_contradiction_is_refused(folder: Path, spoil: Callable[[Path], object], says: str) -> None:
    assert read_registry(folder).list() == load_registry().list()
    spoil(folder)
    with pytest.raises(RegistryError, match=says):
        read_registry(folder)


def test_without_pyyaml_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['yaml'] = None\n"
        "from hybrid_memory.schemas import RegistryError\n"
        "from hybrid_memory.schemas.registry import load_registry\n"
        "try: load_registry()\n"
        "except RegistryError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == 'the topic registry needs PyYAML; install it with: pip install "pyyaml>=6.0.2"\n'


def test_no_file_of_the_registry_is_without_a_reference() -> None:
    named = {message.schema_file for topic in load_registry() for message in topic.messages} - {None}
    with as_file(files("hybrid_memory.schemas")) as root:
        assert {f"json/{path.name}" for path in (root / "json").glob("*.json")} == named
        shown = {message.examples for topic in load_registry() for message in topic.messages} - {None}
        folders = {f"examples/{path.name}" for path in (root / "examples").iterdir() if path.name != "invalid"}
        assert folders == shown
        for path in (root / "topics").glob("*.yaml"):
            assert yaml.safe_load(path.read_text())["name"] == path.stem
