"""What the code says when it refuses: every title, and every sentence that may become a remedy, found in its source."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import adapters
import gateway
from gateway.errors import GatewayError

ROOT = Path(__file__).parents[2]
BILINGUAL = ("gateway/conformance/checks.py", "gateway/commands/")
"""Sources that say everything in both languages themselves, or speak to whoever sits at the machine."""
CHINESE = re.compile("[\u4e00-\u9fff]")


def refusals() -> list[type[GatewayError]]:
    """Every class of errors that the code knows."""
    for package in (gateway, adapters):
        _import_all(package)
    return sorted(_below(GatewayError), key=lambda each: (each.__module__, each.__name__))


def _import_all(package: ModuleType) -> None:
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if ".migrations" not in found.name:
            importlib.import_module(found.name)


def _below(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


@dataclass
class Written:
    """Sentences and templates by where they stand; ``glued`` are remedies whose values cannot be told from them."""

    sentences: dict[str, str] = field(default_factory=dict)
    glued: list[str] = field(default_factory=list)


@dataclass
class _Source:
    path: str
    tree: ast.Module
    assigned: dict[str, list[ast.expr]] = field(default_factory=dict)
    answers: dict[str, list[ast.expr]] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").replace("/", ".")


def written() -> Written:
    """Everything that the sources of the gateway and its adapters say as a remedy or put into a ``Phrase``."""
    sources = [_read(path) for room in ("gateway", "adapters") for path in sorted((ROOT / room).rglob("*.py"))]
    sources = [each for each in sources if not each.path.startswith(BILINGUAL)]
    return _Search(sources).run()


def _read(path: Path) -> _Source:
    source = _Source(str(path.relative_to(ROOT)), ast.parse(path.read_text("utf-8")))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name, value in (pair for target in targets for pair in _bound(target, node.value)):
                source.assigned.setdefault(name, []).append(value)
        if isinstance(node, ast.ImportFrom):
            source.imported.update((each.asname or each.name, node.module or "") for each in node.names)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    source.answers.setdefault(node.name, []).append(inner.value)
    return source


def _bound(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple):
        matched = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
        for part, its in zip(target.elts, matched, strict=True):
            yield from _bound(part, its)


class _Search:
    def __init__(self, sources: list[_Source]) -> None:
        self._sources = sources
        self._found = Written()
        self._takers: dict[str, set[int]] = {}
        self._everywhere: dict[tuple[str, str], list[ast.expr]] = {}
        self._seen: set[int] = set()
        for source in sources:
            for name, values in source.assigned.items():
                self._everywhere[source.module, name] = values
            for node in ast.walk(source.tree):
                self._note_taker(node)

    def _note_taker(self, node: ast.AST) -> None:
        """Functions and dataclasses that take a remedy, or the template of a sentence, by place."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [each.arg for each in node.args.args if each.arg not in ("self", "cls")]
        elif isinstance(node, ast.ClassDef):
            names = [part.target.id for part in node.body if isinstance(part, ast.AnnAssign) and _named(part.target)]
        else:
            return
        wanted = "template" if node.name == "_filled" else "remedy"
        if wanted in names:
            self._takers.setdefault(node.name, set()).add(names.index(wanted))

    def run(self) -> Written:
        for source in self._sources:
            for node in ast.walk(source.tree):
                for expression in self._remedies_of(node):
                    self._take(expression, source)
        return self._found

    def _remedies_of(self, node: ast.AST) -> Iterator[ast.expr]:
        if isinstance(node, ast.AnnAssign) and _named(node.target) == "remedy" and node.value is not None:
            yield node.value
        if not isinstance(node, ast.Call):
            return
        name = _named(node.func)
        if name == "Phrase":
            yield node
        if isinstance(node.func, ast.Attribute) and _named(node.func.value) == "log":
            return
        yield from (each.value for each in node.keywords if each.arg in ("remedy", "remedies"))
        yield from (node.args[place] for place in self._takers.get(name, ()) if len(node.args) > place)

    def _take(self, said: ast.expr, source: _Source) -> None:
        if id(said) in self._seen:
            return
        self._seen.add(id(said))
        where = f"{source.path}:{said.lineno}"
        match said:
            case ast.Constant(value=str(text)):
                if CHINESE.search(text):
                    self._found.sentences.setdefault(text, where)
            case ast.IfExp(body=first, orelse=second):
                self._take(first, source)
                self._take(second, source)
            case ast.BoolOp(values=values) | ast.Tuple(elts=values) | ast.List(elts=values):
                for each in values:
                    self._take(each, source)
            case ast.Dict(values=values):
                for each in values:
                    self._take(each, source)
            case ast.Subscript(value=table):
                self._take(table, source)
            case ast.Call(func=function, args=args):
                self._take_call(said, _named(function), args, source)
            case ast.Name(id=name):
                elsewhere = self._everywhere.get((source.imported.get(name, ""), name), [])
                for each in source.assigned.get(name, elsewhere):
                    self._take(each, source)
            case ast.Attribute():
                pass  # another's remedy, found where that was made
            case _:
                if any(CHINESE.search(each.value) for each in _texts(said)):
                    self._found.glued.append(f"{where} {ast.unparse(said)}")

    def _take_call(self, call: ast.Call, name: str, args: list[ast.expr], source: _Source) -> None:
        if name == "Phrase":
            self._take(args[0], source)
        elif name == "get" and isinstance(call.func, ast.Attribute):
            for each in (call.func.value, *args[1:]):
                self._take(each, source)
        elif name in source.answers:
            for each in source.answers[name]:
                self._take(each, source)


def _named(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _texts(node: ast.AST) -> Iterator[ast.Constant]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))
