"""Which module imports which, read from the source: also inside functions, and for type checkers alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Import:
    """One import.

    :param source: the module that it stands in.
    :param target: the module that is imported; of ``from a import b``, ``a.b`` if that is a module.
    :param name: what is imported from it, if anything.
    :param line: where.
    """

    source: str
    target: str
    name: str | None
    line: int

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}: {self.target}"


def modules_in(folder: str) -> dict[str, Path]:
    """Return the file of each module below a folder of the repository, by the module's name."""
    found = {}
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(modules: Mapping[str, Path]) -> list[Import]:
    """Return every import that stands in the modules."""
    return [found for name, path in modules.items() for found in _imports_in(name, path, modules)]


def _imports_in(source: str, path: Path, modules: Mapping[str, Path]) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(source, alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}, line {node.lineno}: a relative import"
            module = str(node.module)
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                known = whole in modules
                yield Import(source, whole if known else module, None if known else alias.name, node.lineno)


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Return each circle that the edges hold, as the names on it in their order; none twice."""
    found: dict[frozenset[str], list[str]] = {}
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> None:
        if name in path:
            circle = path[path.index(name) :]
            found.setdefault(frozenset(circle), circle)
            return
        if name in done:
            return
        for target in sorted(edges.get(name, ())):
            follow(target, [*path, name])
        done.add(name)

    for name in sorted(edges):
        follow(name, [])
    return list(found.values())
