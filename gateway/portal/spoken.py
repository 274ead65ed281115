"""Templates in one language: what a page says in every case is worked out when its template is compiled, and not with
each page.

``_("…")`` without values, the address of an asset, a badge of a state and a word: pure functions of what stands in the
template and of the language, of which each environment has one. What is said with values is said with the page.
"""

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, Template, nodes
from jinja2.environment import TemplateModule
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer


class SpokenTemplate(Template):
    """One whose globals are the environment's, as all of ours: what it exports is the same for whoever imports it."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        return self._module or super()._get_default_module(ctx)


class SpokenEnvironment(Environment):
    """Jinja's own, but for what is worked out beforehand."""

    template_class = SpokenTemplate
    _settled: "_Settled | None" = None

    def settle(self, pure: Mapping[str, Callable[..., Any]]) -> None:
        """From here on a call of one of ``pure``, by its name and with constants alone, is what it answers."""
        self._settled = _Settled(pure)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        parsed = super()._parse(source, name, filename)
        if self._settled is not None:
            self._settled.visit(parsed)
        return parsed


class _Settled(NodeTransformer):
    """Puts the answer in the place of the call. Raises what the function raises."""

    def __init__(self, pure: Mapping[str, Callable[..., Any]]) -> None:
        self._pure = pure

    def visit_Call(self, node: nodes.Call, *_told: Any) -> nodes.Node:
        self.generic_visit(node)  # what it is called with may be settled, too
        function = self._pure.get(node.node.name) if isinstance(node.node, nodes.Name) else None
        told = [each.value for each in node.args if isinstance(each, nodes.Const)]
        plain = not node.kwargs and node.dyn_args is None and node.dyn_kwargs is None
        if function is None or not plain or len(told) != len(node.args):
            return node
        return nodes.Const(function(*told), lineno=node.lineno)
