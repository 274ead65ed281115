"""Templates in one language: what a page says in every case is looked up when its template is compiled, and not with
each page.

``_("…")`` without values, and the address of an asset, are functions of what stands in the template and of the
language, of which each environment has one. What is said with values is looked up with the page as ever.
"""

from collections.abc import Callable
from typing import Any, Final

from jinja2 import Environment, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

SAY: Final = "_"
ASSET: Final = "asset"


class SpokenEnvironment(Environment):
    """Jinja's own, but for what is looked up beforehand. ``settle`` tells how, before the first template is loaded."""

    _settled: "_Settled | None" = None

    def settle(self, translate: Callable[[str], str], asset: Callable[[str], str]) -> None:
        """``translate`` says a sentence in the language; ``asset`` answers the address of a file."""
        self._settled = _Settled(translate, asset)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        parsed = super()._parse(source, name, filename)
        if self._settled is not None:
            self._settled.visit(parsed)
        return parsed


class _Settled(NodeTransformer):
    """Puts the answer in the place of the call. Raises ``KeyError`` for a file that there is not."""

    def __init__(self, translate: Callable[[str], str], asset: Callable[[str], str]) -> None:
        self._translate, self._asset = translate, asset

    def visit_Call(self, node: nodes.Call, *_arguments: Any) -> nodes.Node:
        said = _the_only_text(node)
        if said is not None and isinstance(node.node, nodes.Name):
            if node.node.name == SAY:
                # As Jinja's newstyle gettext answers it: markup, whose percent signs are doubled in the template.
                return nodes.Const(Markup(self._translate(said)) % {}, lineno=node.lineno)  # noqa: S704 - a catalogue's
            if node.node.name == ASSET:
                return nodes.Const(self._asset(said), lineno=node.lineno)
        return self.generic_visit(node)


def _the_only_text(node: nodes.Call) -> str | None:
    if len(node.args) != 1 or node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        return None
    argument = node.args[0]
    return argument.value if isinstance(argument, nodes.Const) and isinstance(argument.value, str) else None
