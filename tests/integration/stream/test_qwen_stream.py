"""The real command with a real Qwen2, very small: what it was taught comes through the stream, text by text."""

from pathlib import Path

import pytest

from hybrid_memory.local.ports import free_port
from hybrid_memory.schemas import MachineProvenance
from tests.e2e.programs import Program, environment, hm
from tests.integration.stream.world import StreamWorld
from tests.tiny_qwen import ANSWERS, tiny_qwen


@pytest.mark.model
@pytest.mark.timeout(240)
def test_a_real_model_classifies_the_stream(stream: StreamWorld, kafka_cache: Path) -> None:
    folder = tiny_qwen(kafka_cache)
    stream.add(ANSWERS)
    env = environment(
        HM_KAFKA__BOOTSTRAP_SERVERS=stream.settings.bootstrap_servers,
        HM_TOPIC_PREFIX=stream.settings.topic_prefix,
        HM_CLASSIFIER__DEVICE="cpu",
    )
    command = hm("classify", "stream", "--classifier", "qwen", "--model", str(folder), "--port", str(free_port()))
    program = Program.start(command, env, stream.world.folder / "qwen.log")
    try:
        stream.settle(120, lambda: program.running or pytest.fail(program.said[-3000:]))
    finally:
        code = program.stop()
    assert code == 0
    facts = [fact for [fact, *_] in stream.facts().values()]
    assert {fact.memory.text: fact.classifiers for fact in facts} == ANSWERS
    assert {fact.provenance.source for fact in facts} == {"llm"}
    assert all(isinstance(fact.provenance, MachineProvenance) and fact.provenance.prompt for fact in facts)
    assert not stream.letters()
