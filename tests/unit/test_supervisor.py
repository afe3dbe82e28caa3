"""The supervisor, with small real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from hybrid_memory.local.backoff import Backoff, RestartPolicy
from hybrid_memory.local.child import Child
from hybrid_memory.local.output import prefixed_lines
from hybrid_memory.local.supervisor import GaveUp, Supervisor
from hybrid_memory.runtime.errors import Refusal

FAST = RestartPolicy(first_delay=0.02, longest_delay=0.05, settled_after=30, quick_deaths=3, stop_deadline=2)
DEADLINE = 20.0

STAYS = "import time; print('up'); time.sleep(600)"
DIES = "print('about to die'); raise SystemExit(7)"
REFUSES = "import sys; print('port 1 is taken', file=sys.stderr); sys.exit(2)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)"


def python(name: str, code: str, *args: str) -> Child:
    return Child(name, (sys.executable, "-c", code, *args))


class Lines(list[tuple[str, str]]):
    """What was written, and waiting for it."""

    def write(self, name: str, line: str) -> None:
        self.append((name, line))

    async def until(self, name: str, text: str, times: int = 1) -> None:
        async with asyncio.timeout(DEADLINE):
            while sum(n == name and text in line for n, line in self) < times:
                await asyncio.sleep(0.01)


def run(supervisor: Supervisor, alongside: Callable[[], Awaitable[None]] | None = None) -> None:
    asyncio.run(asyncio.wait_for(supervisor.run(alongside), DEADLINE))


def test_one_that_dies_is_started_again() -> None:
    lines = Lines()
    supervisor = Supervisor([python("sleeper", STAYS)], FAST, lines.write)

    async def kill_it() -> None:
        await lines.until("sleeper", "up")
        pid = supervisor.pid("sleeper")
        assert pid
        os.kill(pid, signal.SIGKILL)
        await lines.until("sleeper", "up", times=2)
        assert supervisor.pid("sleeper") not in (None, pid)
        supervisor.stop()

    run(supervisor, kill_it)
    assert any("was killed by SIGKILL; it is started again" in line for name, line in lines if name == "hm")


def test_one_that_keeps_dying_is_given_up_and_the_others_stop() -> None:
    lines = Lines()
    supervisor = Supervisor([python("sleeper", STAYS), python("dier", DIES)], FAST, lines.write)
    with pytest.raises(GaveUp, match=r"dier died 3 times in a row.* code 7.*\n  about to die"):
        run(supervisor)
    assert sum(name == "dier" for name, _ in lines) == 3
    assert supervisor.pid("sleeper") is None


def test_a_refusal_stops_everything_at_once_and_its_sentence_is_repeated() -> None:
    lines = Lines()
    supervisor = Supervisor([python("sleeper", STAYS), python("refuser", REFUSES)], FAST, lines.write)
    with pytest.raises(Refusal, match=r"^port 1 is taken$"):
        run(supervisor)
    assert sum(name == "refuser" for name, _ in lines) == 1


def test_a_command_that_does_not_exist_is_a_refusal() -> None:
    with pytest.raises(Refusal, match=r"^nothing cannot be started: there is no command /nowhere/at/all$"):
        run(Supervisor([Child("nothing", ("/nowhere/at/all",))], FAST, Lines().write))


def test_children_stop_in_reverse_order(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    time.sleep(0.1); open(sys.argv[1], 'a').write(sys.argv[2] + '\\n'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up'); time.sleep(600)"
    )
    journal = str(tmp_path / "journal")
    lines = Lines()
    supervisor = Supervisor(
        [python("broker", code, journal, "broker"), python("serve", code, journal, "serve")], FAST, lines.write
    )

    async def stop_when_up() -> None:
        await lines.until("broker", "up")
        await lines.until("serve", "up")
        supervisor.stop()

    run(supervisor, stop_when_up)
    assert Path(journal).read_text().split() == ["serve", "broker"]


def test_one_that_ignores_the_signal_is_killed() -> None:
    lines = Lines()
    policy = RestartPolicy(stop_deadline=0.2)
    supervisor = Supervisor([python("stubborn", STUBBORN)], policy, lines.write)

    async def stop_when_up() -> None:
        await lines.until("stubborn", "up")
        supervisor.stop()

    run(supervisor, stop_when_up)
    assert ("stubborn", "did not stop within 0 s, so it is killed") in lines


def test_what_runs_alongside_may_end_everything() -> None:
    async def refuse() -> None:
        raise Refusal("the topics are not ours")

    with pytest.raises(Refusal, match="not ours"):
        run(Supervisor([python("sleeper", STAYS)], FAST, Lines().write), refuse)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_children_die_with_a_supervisor_that_is_killed() -> None:
    code = (
        "import asyncio, sys\n"
        "from hybrid_memory.local.child import Child\n"
        "from hybrid_memory.local.supervisor import Supervisor\n"
        "child = Child('sleeper', (sys.executable, '-c', 'import os, time; print(os.getpid()); time.sleep(600)'))\n"
        "asyncio.run(Supervisor([child]).run())"
    )
    with psutil.Popen([sys.executable, "-c", code], stdout=-1, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline().split("|")[1]))
        parent.kill()
        child.wait(DEADLINE)


def test_delays_grow_and_are_forgotten_after_a_good_life() -> None:
    backoff = Backoff(RestartPolicy(first_delay=1, longest_delay=3, settled_after=10, quick_deaths=5))
    assert [backoff.after_death(0) for _ in range(4)] == [1, 2, 3, 3]
    assert backoff.after_death(10) == 1
    assert [backoff.after_death(0) for _ in range(4)] == [2, 3, 3, None]


def test_lines_are_prefixed_without_colour_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    write = prefixed_lines(["hm", "broker"])
    write("hm", "hello")
    write("broker", "there")
    assert capsys.readouterr().out == "hm     | hello\nbroker | there\n"


@pytest.mark.parametrize("code", [REFUSES, DIES])
def test_what_is_not_essential_is_done_without(code: str) -> None:
    lines = Lines()
    extra = Child("extra", (sys.executable, "-c", code), essential=False)
    supervisor = Supervisor([python("sleeper", STAYS), extra], FAST, lines.write)

    async def see_it_go() -> None:
        await lines.until("hm", "the rest goes on without extra")
        assert supervisor.pid("sleeper") is not None
        supervisor.stop()

    run(supervisor, see_it_go)
    assert any(reason in line for name, line in lines if name == "hm" for reason in ("port 1 is taken", "extra died 3"))
