"""The design, checked: who may import whom, what may never be called, what files may never hold."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RAG = ROOT / "rag"

# Known to all and knowing none: every stage may import these.
FOUNDATION = {"rag.schema", "rag.errors", "rag.settings", "rag.prompts", "rag.trace"}

# Data flows one way: a stage may import itself and what stands before it. A stage of several
# modules names its parts here; a folder stands for all that lies in it.
STAGES = (
    {"corpus", "sources"},
    {"split", "sentences"},
    {"embed"},
    {"lexicon", "words"},
    {"catalogue", "wordsearch", "holdings", "database", "lineage"},
    {"vectors", "seals"},
    {"store", "exact"},
    {"index", "survey", "upkeep"},
    {"retrieve", "filtered"},
    {"select", "answertype", "features", "reader", "short", "trees"},
    {"llm", "calls", "endpoint", "local"},
    {"conversation", "followup", "mentions"},
    {"citations", "labels"},
    {"verify", "checking"},
    {"answer"},
    {"draft", "foreign", "relevance"},
    {"compose", "health"},
    {"chat"},
    {"present"},
    {"terminal"},
)
PLACE = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): place
    for place, parts in enumerate(STAGES)
    for part in parts
    for path in [RAG / f"{part}.py", *RAG.glob(f"{part}/*.py")]
}
WRITING = {"rag.index", "rag.survey", "rag.upkeep"}
READING = {name for name, place in PLACE.items() if place > PLACE["rag.index"]}

# Only what faces a user may know the whole.
FRONT = {"rag.__init__", "rag.cli", "rag.console", "rag.watch", "rag.llamaindex"}

# One deliberate step back: a noun offers its own JSON, and loads the presenter when asked.
EXCEPTIONS = {("rag.schema", "rag.present")}

BANNED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
HEAVY = ("chromadb", "llama_index", "onnxruntime", "openvino", "gradio", "numpy", "pydantic")


def modules() -> dict[str, Path]:
    """Return the modules of the package by dotted name."""
    found = {}
    for path in sorted(RAG.rglob("*.py")):
        if "models" in path.relative_to(RAG).parts:
            continue
        found[".".join(path.relative_to(ROOT).with_suffix("").parts)] = path
    return found


def imported(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each module that a file imports, at any depth, with the names taken from it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.module or "", tuple(alias.name for alias in node.names)


def rag_imports(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, in whichever spelling."""
    names = set()
    for module, taken in imported(path):
        if module == "rag":
            names |= {f"rag.{name}" for name in taken if (RAG / f"{name}.py").exists()}
        elif module.startswith("rag."):
            names.add(module)
    return names


def own_code() -> list[Path]:
    """Return every Python file that ships or runs: not the tests."""
    folders = (RAG, ROOT / "eval", ROOT / "ui")
    return [*(path for folder in folders for path in folder.rglob("*.py")), *ROOT.glob("*.py")]


def tracked() -> list[Path]:
    """Return the files that git tracks, or every file where this is no checkout."""
    git = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if git.returncode == 0 and git.stdout:
        names = git.stdout.decode().split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.parts)
    ]


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_of_each_module_follow_the_flow_of_data(name: str) -> None:
    uses = {used for used in rag_imports(modules()[name]) if (name, used) not in EXCEPTIONS}
    uses.discard(name)
    if name in FOUNDATION:
        assert uses <= FOUNDATION
    elif name in PLACE:
        before = {other for other, place in PLACE.items() if place <= PLACE[name]}
        wrong = uses - FOUNDATION - before
        assert not wrong, f"{name} imports {sorted(wrong)}, which stand after it"
    elif name == "rag.pipeline":
        assert not uses & FRONT
    else:
        assert name in FRONT, f"{name} has no place in the design: give it one here"


def test_imports_never_go_in_a_circle() -> None:
    uses = {name: rag_imports(path) - {name} for name, path in modules().items()}
    for name, used in EXCEPTIONS:
        uses[name].discard(used)
    order = TopologicalSorter(uses)
    order.prepare()  # raises CycleError, which names the circle


def test_reading_never_imports_writing() -> None:
    for name, path in modules().items():
        if name in READING:
            assert not rag_imports(path) & WRITING, name


def test_schema_and_errors_import_only_the_standard_library() -> None:
    for name in ("rag.schema", "rag.errors"):
        for module, _ in imported(modules()[name]):
            top = module.split(".")[0]
            assert top in sys.stdlib_module_names | {"rag"}, f"{name} imports {module}"


def test_eval_and_the_page_import_only_public_names() -> None:
    from rag import __all__ as public

    outside = [*(ROOT / "eval").rglob("*.py"), *(ROOT / "ui").rglob("*.py"), ROOT / "app.py"]
    for path in outside:
        # A benchmark of one stage measures that stage, so it has to reach it.
        if path.name.startswith("bench_"):
            continue
        for module, taken in imported(path):
            if module.split(".")[0] != "rag":
                continue
            assert module == "rag", f"{path.name} imports {module}, which is not public"
            assert set(taken) <= set(public), f"{path.name} imports {set(taken) - set(public)}"


def test_nothing_below_imports_the_page() -> None:
    for path in [*RAG.rglob("*.py"), *(ROOT / "eval").rglob("*.py")]:
        for module, _ in imported(path):
            top = module.split(".")[0]
            assert top not in {"ui", "app", "gradio", "fastapi"}, f"{path} imports {module}"


def test_code_never_loads_or_runs_what_could_be_code() -> None:
    for path in own_code():
        tree = ast.parse(path.read_text("utf-8"), str(path))
        for module, _ in imported(path):
            assert module.split(".")[0] not in BANNED_MODULES, f"{path.name} imports {module}"
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            where = f"{path.name}:{node.lineno}"
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "os.system", "os.popen"}, f"{where}: {called}"
            assert not called.endswith(("yaml.load", "yaml.unsafe_load")), f"{where}: {called}"
            keywords = {keyword.arg for keyword in node.keywords}
            assert "trust_remote_code" not in keywords, f"{where}: trust_remote_code"
            assert "allow_pickle" not in keywords, f"{where}: allow_pickle"
            for keyword in node.keywords:
                if keyword.arg == "shell":
                    value = keyword.value
                    harmless = isinstance(value, ast.Constant) and value.value is False
                    assert harmless, f"{where}: a shell"


def test_tracked_files_name_no_registry_and_no_machine() -> None:
    # Put together here so that this file doesn't hold what it looks for.
    hosts = [host[::-1] + ".org" for host in ("ipyp", "detsohnohtyp.selif", "adnocana.adnoc")]
    folders = ["/" + name + "/" for name in ("work", "root", "tmp", "home/[a-z]", "Users")]
    banned = re.compile(
        "|".join([*map(re.escape, hosts), *(rf"(?<![\w.~*}}]){f}" for f in folders)])
    )
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content[:4096] or len(content) > 4_000_000:
            continue
        if match := banned.search(content.decode("utf-8", "replace")):
            pytest.fail(f"{path.relative_to(ROOT)} holds {match.group()!r}")


def test_locks_hold_every_package_to_a_version_and_a_hash() -> None:
    for path in sorted((ROOT / "locks").glob("*.txt")):
        lines = [line for line in path.read_text("utf-8").splitlines() if "#" not in line[:6]]
        for number, line in enumerate(lines):
            if line.startswith(" "):
                continue
            assert re.match(r"[a-z0-9][a-z0-9._-]*==\S", line), f"{path.name}: {line}"
            assert "--hash=sha256:" in lines[number + 1], f"{path.name}: {line}"


def loaded_by(code: str) -> list[str]:
    """Return the names of the modules loaded after a fresh Python ran `code`."""
    found = "sorted(name for name, module in sys.modules.items() if module)"
    script = f"import json, sys\n{code}\nprint(json.dumps({found}))"
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded: list[str] = json.loads(run.stdout.splitlines()[-1])
    return loaded


@pytest.mark.parametrize("code", ["import rag", "from rag import Answer, UserError, Span"])
def test_import_of_rag_and_its_nouns_loads_nothing_heavy(code: str) -> None:
    before = set(loaded_by("pass"))
    new = [name for name in loaded_by(code) if name not in before]
    heavy = [name for name in new if name.split(".")[0] in HEAVY]
    assert not heavy
    outside = {name.split(".")[0] for name in new} - sys.stdlib_module_names - {"rag"}
    assert not outside, f"{code} loads {sorted(outside)}"


def test_import_of_the_pipeline_loads_no_llama_index_and_no_gradio() -> None:
    loaded = loaded_by("from rag import Assistant")
    assert not [
        name for name in loaded if name.split(".")[0] in ("llama_index", "gradio", "openai")
    ]


def test_the_embedding_model_loads_without_its_reporter() -> None:
    # OpenVINO's own import would otherwise send statistics to another machine.
    loaded = loaded_by("from rag.embed import BundledEmbedder\nBundledEmbedder().embed(['x'])")
    assert "openvino" in loaded
    assert not [name for name in loaded if name.startswith("openvino_telemetry")]
