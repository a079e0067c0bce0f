"""Reference pages of what can be called: the command line, its exit codes, the Python API of the workload."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from bench.cli import app

ROOT = Path(__file__).resolve().parents[2]
_EXIT_CODES = re.compile(r"Exit codes: (?P<codes>.+)", re.DOTALL)
_PATIENCE_S = 60.0


def commands_page() -> str:
    """Every command, argument and option, as typer itself writes them, and those of `python -m mnist_cnn`."""
    pages = [_typer_docs("bench.cli", "bench"), _typer_docs("mnist_cnn/__main__.py", "python -m mnist_cnn")]
    found = [(name, _first_line(command.help or "")) for name, command in _commands(get_command(app), "bench")]
    table = [f"| [`{name}`](#{name.replace(' ', '-')}) | {does} |" for name, does in found]
    head = "# Command line\n\n`scripts/bench` is `bench` in the repository's own environment."
    return "\n".join([head, "", "| command | does |", "| --- | --- |", *table, "", *map(_beneath, pages)])


def _typer_docs(module: str, name: str) -> str:
    command = [sys.executable, "-m", "typer", module, "utils", "docs", "--name", name]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=_PATIENCE_S, check=True)
    return done.stdout


def _beneath(page: str) -> str:
    """What typer wrote with its headings one level down, and without its lists of commands, which cut each short."""
    shorter = re.sub(r"^\*\*Commands\*\*:\n\n(\* .*\n)+", "", page, flags=re.MULTILINE)
    return re.sub(r"^(#+ `)", r"#\1", shorter, flags=re.MULTILINE)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def exit_codes_page() -> str:
    """What every exit code of every command means, from what `--help` says under its options."""
    lines = ["# Exit codes", "", "| command | code | means |", "| --- | ---: | --- |"]
    for name, command in _commands(get_command(app), "bench"):
        for code, meaning in _codes(command.epilog or ""):
            lines.append(f"| `{name}` | {code} | {meaning} |")
    told = (
        "Where a command is not in the table: 0 it was done; 2 wrong usage or bad input, told in one line that begins "
        "with `bench:`. A command that a signal ends while it measures keeps what is measured."
    )
    return "\n".join([*lines, "", told, ""])


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Each command that does something, by the words that call it; typer does not name the type of a command."""
    inner = getattr(command, "commands", {})
    if not inner:
        yield name, command
    for word, sub in inner.items():
        yield from _commands(sub, f"{name} {word}")


def _codes(epilog: str) -> Iterator[tuple[str, str]]:
    """`0 fine; 1 not; 2 wrong.` as pairs of a code and its meaning."""
    found = _EXIT_CODES.search(epilog)
    for part in re.split(r"; (?=\d+ )", found["codes"]) if found else ():
        code, _, meaning = " ".join(part.split()).partition(" ")
        yield code, meaning.rstrip(".")


def python_page() -> str:
    """Public functions and classes of `mnist_cnn`, with signatures and docstrings read from the source alone."""
    head = "# Python API of mnist_cnn\n\nThe workload, without a benchmark. Names that begin with `_` are left out."
    modules = [path for path in sorted((ROOT / "mnist_cnn").glob("*.py")) if path.name != "__main__.py"]
    return "\n\n".join([head, *map(_module, modules)]) + "\n"


def _module(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    parts = [f"## `{name}`", ast.get_docstring(tree) or ""]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            parts += [f"### `{node.name}`", f"```python\n{_signature(node)}\n```", ast.get_docstring(node) or ""]
            parts += [_method(inner) for inner in node.body if _is_public_method(node, inner)]
    return "\n\n".join(filter(None, parts))


def _is_public_method(owner: ast.AST, inner: ast.AST) -> bool:
    return isinstance(owner, ast.ClassDef) and isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_")


def _method(node: Any) -> str:
    return f"```python\n{_signature(node)}\n```\n\n{ast.get_docstring(node) or ''}"


def _signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """The source without its body; of a class the fields that its constructor takes."""
    if isinstance(node, ast.ClassDef):
        fields: list[ast.stmt] = [inner for inner in node.body if isinstance(inner, ast.AnnAssign)]
        kept = ast.ClassDef(node.name, node.bases, node.keywords, fields or [ast.Pass()], node.decorator_list)
        return ast.unparse(ast.fix_missing_locations(kept)).removesuffix(":\n    pass")
    bare = ast.parse(f"def {node.name}(): pass").body[0]
    assert isinstance(bare, ast.FunctionDef)
    bare.args, bare.returns, bare.decorator_list = node.args, node.returns, node.decorator_list
    return ast.unparse(bare).removesuffix(":\n    pass")
