"""The rules that keep the house whole: who may import whom, and what may be loaded when."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = {"schemas": 1, "infra": 2, "producers": 3, "streams": 3, "consumers": 4}
HEAVY = {"torch", "transformers", "sentence_transformers"}
NOT_FOR_ALL = HEAVY | {"faust", "qdrant_client", "qdrant_edge"}


def components() -> dict[str, list[str]]:
    """The floors' folders in which each component has a portion; one, where all is well."""
    found: dict[str, list[str]] = {}
    for floor in FLOORS:
        for folder in sorted((ROOT / floor / "hybrid_memory").iterdir()):
            if folder.is_dir() and folder.name != "__pycache__":
                found.setdefault(folder.name, []).append(floor)
    return found


def sources() -> Iterator[tuple[str, Path]]:
    for component, floors in components().items():
        for floor in floors:
            yield from ((component, path) for path in (ROOT / floor / "hybrid_memory" / component).rglob("*.py"))


def imported(source: str) -> Iterator[str]:
    """The modules that a source imports, wherever in it; a relative one begins with a dot."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imported_components(source: str) -> set[str]:
    return {name.split(".")[1] for name in imported(source) if name.startswith("hybrid_memory.")}


def wrong_imports(component: str, source: str, floor_of: Mapping[str, int]) -> list[str]:
    """What of a component's source breaks the floors, in words."""
    wrong = [f"{component} imports {name} relatively" for name in imported(source) if name.startswith(".")]
    for other in sorted(imported_components(source) - {component}):
        if other not in floor_of:
            wrong.append(f"{component} imports {other}, which is no component")
        elif floor_of[other] > floor_of[component]:
            wrong.append(f"{component} (floor {floor_of[component]}) imports {other} (floor {floor_of[other]})")
    return wrong


def module_name(path: Path) -> str:
    """The name by which the module of a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_in(source: str, modules: Iterable[str]) -> set[str]:
    """Which of these modules a source imports: of a name imported from a package, the module of that name, if any."""
    known = set(modules)
    return {name if name in known else name.rpartition(".")[0] for name in imported(source)} & known


def circle(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle of components that import each other; empty where there is none."""
    try:
        tuple(TopologicalSorter(imports).static_order())
    except CycleError as error:
        return list(error.args[1])
    return []


def loaded_at_import(source: str) -> set[str]:
    """The top-level packages that a source imports when it is imported itself."""

    def names(nodes: Iterable[ast.AST]) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module or ""
            elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                yield from names(node.orelse)
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield from names(ast.iter_child_nodes(node))

    return {name.partition(".")[0] for name in names(ast.parse(source).body)}


FLOOR_OF = {component: FLOORS[floors[0]] for component, floors in components().items()}
SOURCES = list(sources())
IDS = [str(path.relative_to(ROOT)) for _, path in SOURCES]


@pytest.mark.parametrize(("component", "path"), SOURCES, ids=IDS)
def test_imports_run_down_the_floors(component: str, path: Path) -> None:
    assert wrong_imports(component, path.read_text(encoding="utf-8"), FLOOR_OF) == []


@pytest.mark.parametrize(("component", "path"), SOURCES, ids=IDS)
def test_nothing_heavy_is_loaded_at_import(component: str, path: Path) -> None:
    assert loaded_at_import(path.read_text(encoding="utf-8")) & HEAVY == set()


def test_no_components_import_each_other_in_a_circle() -> None:
    imports: dict[str, set[str]] = {}
    for component, path in SOURCES:
        others = imported_components(path.read_text(encoding="utf-8")) - {component}
        imports.setdefault(component, set()).update(others)
    assert circle(imports) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Not even late, within a function: two files that need each other are one idea."""
    modules = {module_name(path): path for _, path in SOURCES}
    imports = {name: modules_in(path.read_text(encoding="utf-8"), modules) - {name} for name, path in modules.items()}
    assert circle(imports) == []


def test_no_component_has_two_folders() -> None:
    assert {name: floors for name, floors in components().items() if len(floors) > 1} == {}


def test_no_portion_hides_the_others() -> None:
    assert [floor for floor in FLOORS if (ROOT / floor / "hybrid_memory" / "__init__.py").exists()] == []


@pytest.mark.parametrize("component", sorted(FLOOR_OF))
def test_a_component_is_a_typed_package(component: str) -> None:
    folder = ROOT / components()[component][0] / "hybrid_memory" / component
    assert (folder / "__init__.py").is_file()
    assert (folder / "py.typed").is_file()


def loaded_by(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after `code`."""
    report = "import sys; print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_the_client_loads_no_model_and_no_vector_library() -> None:
    loaded = loaded_by("from hybrid_memory.client import MemoryClient")
    assert "hybrid_memory" in loaded
    assert loaded & NOT_FOR_ALL == set()


def test_the_help_of_hm_loads_none_of_them_either() -> None:
    code = (
        "import sys; sys.argv = ['hm', '--help']\n"
        "from hybrid_memory.cli import main\n"
        "try: main()\n"
        "except SystemExit as done: assert not done.code, done.code"
    )
    assert loaded_by(code) & NOT_FOR_ALL == set()


SMALL_HOUSE = {"schemas": 1, "runtime": 2, "client": 3, "sink": 4, "index": 4}


@pytest.mark.parametrize(
    ("component", "source", "says"),
    [
        ("runtime", "import hybrid_memory.sink", "runtime (floor 2) imports sink (floor 4)"),
        ("schemas", "from hybrid_memory.runtime.errors import Refusal", "schemas (floor 1) imports runtime (floor 2)"),
        ("client", "from hybrid_memory import index", "client (floor 3) imports index (floor 4)"),
        ("runtime", "def f():\n    from hybrid_memory.client import C", "runtime (floor 2) imports client (floor 3)"),
        ("sink", "from hybrid_memory.snik import loop", "sink imports snik, which is no component"),
        ("sink", "from .loop import run", "sink imports .loop.run relatively"),
    ],
)
def test_a_wrong_import_is_refused(component: str, source: str, says: str) -> None:
    assert wrong_imports(component, source, SMALL_HOUSE) == [says]


@pytest.mark.parametrize(
    "source",
    [
        "from hybrid_memory.schemas import Memory\nimport json",
        "import hybrid_memory.index.points",
        "from hybrid_memory.sink.fold import fold",
    ],
)
def test_a_right_import_is_allowed(source: str) -> None:
    assert wrong_imports("sink", source, SMALL_HOUSE) == []


def test_imported_modules_are_seen() -> None:
    source = (
        "from hybrid_memory.sink import loop\nfrom hybrid_memory.sink.fold import fold\nimport hybrid_memory.sink.apply"
    )
    modules = [f"hybrid_memory.sink{name}" for name in ("", ".loop", ".fold", ".apply", ".share")]
    assert modules_in(source, modules) == {f"hybrid_memory.sink.{name}" for name in ("loop", "fold", "apply")}
    assert module_name(ROOT / "consumers/hybrid_memory/sink/loop.py") == "hybrid_memory.sink.loop"
    assert module_name(ROOT / "consumers/hybrid_memory/sink/__init__.py") == "hybrid_memory.sink"


def test_a_circle_is_seen() -> None:
    assert set(circle({"sink": ["index"], "index": ["query"], "query": ["sink"]})) == {"sink", "index", "query"}
    assert circle({"sink": ["index"], "query": ["index", "sink"]}) == []


@pytest.mark.parametrize(
    ("source", "loads"),
    [
        ("import torch.nn", True),
        ("from transformers import pipeline", True),
        ("try:\n    import sentence_transformers\nexcept ImportError:\n    pass", True),
        ("class A:\n    import torch", True),
        ("def load():\n    import torch", False),
        ("if TYPE_CHECKING:\n    import torch", False),
        ("import torchless", False),
    ],
)
def test_a_heavy_import_is_seen(source: str, loads: bool) -> None:
    assert bool(loaded_at_import(source) & HEAVY) is loads


def test_a_loaded_package_is_seen() -> None:
    assert "sqlite3" in loaded_by("import sqlite3.dbapi2")


def test_nobody_is_sent_to_a_strangers_package() -> None:
    """The name hybrid-memory is somebody else's in the public index."""
    assert not [path for _, path in sources() if re.search(r"install \S*hybrid-memory", path.read_text())]
