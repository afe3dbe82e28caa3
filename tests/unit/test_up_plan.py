"""What `hm up` decides before it starts anything."""

import socket
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from hybrid_memory.local.decision import Decision, decide
from hybrid_memory.local.locks import lock_folder
from hybrid_memory.local.ports import free_port
from hybrid_memory.local.up_plan import Plan, make_plan
from hybrid_memory.local.welcome import welcome
from hybrid_memory.runtime.access.caller import Scope
from hybrid_memory.runtime.access.key_file import change_keys
from hybrid_memory.runtime.access.keys import make_key
from hybrid_memory.runtime.errors import Refusal
from hybrid_memory.runtime.settings import load_settings

_RULES = Decision("rules", "a test wants them")
_QWEN = Decision("qwen", "its weights are on disk")


@pytest.fixture(autouse=True)
def _no_settings_of_the_person(clean_environment: pytest.MonkeyPatch) -> None:
    pass


def test_the_broker_is_started_first_and_both_are_told_the_same_address(tmp_path: Path) -> None:
    port = free_port()
    plan = make_plan(load_settings(data_dir=tmp_path, http={"port": port}), _RULES)
    broker, serve = plan.children
    assert (broker.name, serve.name) == ("broker", "serve")
    assert broker.argv[-2:] == ("--port", plan.bootstrap_servers.rpartition(":")[2])
    assert serve.argv[-1] == "serve"
    assert serve.env["HM_KAFKA__BOOTSTRAP_SERVERS"] == plan.bootstrap_servers
    assert serve.env["HM_DATA_DIR"] == str(tmp_path)
    assert serve.env["HM_HTTP__PORT"] == str(port)
    assert plan.url == f"http://127.0.0.1:{port}"


def test_no_broker_of_ours_where_kafka_is_named(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, http={"port": 0}, kafka={"bootstrap.servers": "kafka.example:9092"})
    plan = make_plan(settings, _RULES)
    assert [child.name for child in plan.children] == ["serve"]
    assert plan.bootstrap_servers == "kafka.example:9092"
    assert not plan.url.endswith(":0")


def test_a_stream_beside_the_rest_where_a_model_can_be_had(tmp_path: Path) -> None:
    plan = make_plan(load_settings(data_dir=tmp_path, http={"port": 0}), _QWEN)
    broker, serve, classify = plan.children
    assert classify.argv[-4:-1] == ("classify", "stream", "--port")
    assert (broker.essential, serve.essential, classify.essential) == (True, True, False)
    assert serve.env["HM_EXPECT_STREAM"] == "true"


def test_no_stream_where_there_are_rules_alone(tmp_path: Path) -> None:
    plan = make_plan(load_settings(data_dir=tmp_path, http={"port": 0}), _RULES)
    assert [child.name for child in plan.children] == ["broker", "serve"]
    assert plan.children[1].env["HM_EXPECT_STREAM"] == "false"


def test_a_sink_of_its_own_where_the_index_is_on_a_server(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, http={"port": 0}, qdrant={"url": "http://127.0.0.1:6333"})
    plan = make_plan(settings, _QWEN)
    assert [child.name for child in plan.children] == ["broker", "sink", "serve", "classify"]
    assert plan.children[1].argv[-3:-1] == ("sink", "--port")
    assert plan.children[1].env["HM_EXPECT_STREAM"] == plan.children[2].env["HM_EXPECT_STREAM"] == "true"


def test_mem0_is_followed_where_one_is_named(tmp_path: Path) -> None:
    plan = make_plan(load_settings(data_dir=tmp_path, http={"port": 0}, mem0={"api_key": "m0-secret"}), _RULES)
    assert [child.name for child in plan.children] == ["broker", "serve", "mem0", "mem0-feed"]
    assert [child.essential for child in plan.children[2:]] == [False, False]
    assert "m0-secret" not in repr(plan)


def test_a_taken_port_of_the_stream_is_no_reason_to_go_without_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        plan = make_plan(load_settings(data_dir=tmp_path, http={"port": 0}, stream={"port": port}), _QWEN)
    assert plan.children[2].argv[-1] != str(port)


def test_the_rules_are_the_decision_where_they_are_asked_for(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HM_CLASSIFIER__KIND", "rules")
    assert decide().kind == "rules"
    assert not decide().by_a_model


def test_a_classifier_that_there_is_not_is_refused_in_a_sentence(clean_environment: pytest.MonkeyPatch) -> None:
    clean_environment.setenv("HM_CLASSIFIER__KIND", "gpt")
    with pytest.raises(Refusal, match=r"HM_CLASSIFIER__KIND: .*auto, qwen, rules or the URL of a server"):
        decide()


def test_a_taken_http_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refusal, match=f"port {port} of 127.0.0.1 is taken .* give another port with --port"):
            make_plan(load_settings(data_dir=tmp_path, http={"port": port}), _RULES)


def test_a_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    lock = lock_folder(tmp_path, "hm up")
    with pytest.raises(Refusal, match=f"folder {tmp_path} is in use by another hm up"):
        lock_folder(tmp_path, "hm up")
    lock.release()
    lock_folder(tmp_path, "hm up").release()


def test_the_welcome_has_three_commands_to_copy(tmp_path: Path) -> None:
    plan = make_plan(load_settings(data_dir=tmp_path, http={"port": 0}), _RULES)
    commands = [line for line in welcome(plan, 3.2).splitlines() if line.startswith(f"  curl {plan.url}/")]
    assert len(commands) == 3


def test_the_welcome_has_what_another_terminal_needs(tmp_path: Path) -> None:
    def exports(plan: Plan) -> list[str]:
        return [line.split("=")[0] for line in welcome(plan, 3.2).splitlines() if line.startswith("  export ")]

    plan = make_plan(load_settings(data_dir=tmp_path / "of mine", http={"port": 0}), _RULES)
    assert f"  export HM_DATA_DIR='{tmp_path}/of mine'" in welcome(plan, 3.2).splitlines()
    assert f"  export HM_HTTP__PORT={urlsplit(plan.url).port}" in welcome(plan, 3.2).splitlines()
    usual = replace(plan, data_dir=load_settings().data_dir, url="http://127.0.0.1:8765")
    assert exports(usual) == ["  export HM_KAFKA__BOOTSTRAP_SERVERS"]


def test_an_address_for_others_needs_keys_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"listening on 0\.0\.0\.0 would let anybody .* hm keys create"):
        make_plan(load_settings(data_dir=tmp_path, http={"port": 0, "host": "0.0.0.0"}), _RULES)


def test_the_welcome_says_where_the_key_goes(tmp_path: Path) -> None:
    new = make_key("mine", [Scope.READ, Scope.WRITE], "all")
    change_keys(tmp_path / "keys.yaml", lambda entries: (*entries, new.entry))
    plan = make_plan(load_settings(data_dir=tmp_path, http={"port": 0}), _RULES)
    assert plan.guarded
    commands = [line for line in welcome(plan, 3.2).splitlines() if line.startswith(f"  curl {plan.url}/")]
    assert all('-H "X-API-Key: $KEY"' in command for command in commands)
