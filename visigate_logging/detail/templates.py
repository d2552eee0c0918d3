"""A message as its call site writes it: what is literal in an expression, and what is filled in."""

import ast
import functools
import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

HOLE = "{}"
"""What stands between the literal parts of a template."""

MAX_TEMPLATES = 8
"""Templates of one place: it may choose between texts."""
MAX_SHOWN = 60
"""Characters of an expression that is shown in a template; a longer one is ``{…}``."""
MAX_TEMPLATE = 2000
"""Characters of a template."""

_LETTERS = re.compile(r"[^\W\d_]{2}")
_CONVERSION = re.compile(
    r"%(?:\([^)]{0,100}\))?[#0\- +]{0,5}(?:\*|\d{0,6})(?:\.(?:\*|\d{0,6}))?[hlL]?[diouxXeEfFgGcrsa%]"
)
_FIELD = re.compile(r"\{\{|\}\}|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")


class Template(NamedTuple):
    """A message as its call site writes it.

    Args:
        shown: with the expressions that are filled in, as in ``no picture from {camera}``.
        literals: the texts between them.
    """

    shown: str
    literals: tuple[str, ...]

    @property
    def holes(self) -> str:
        """The literal parts, with a mark where something is filled in."""
        return HOLE.join(self.literals)

    def fits(self, message: str) -> bool:
        """Return whether a message may have been made of it."""
        first, *others = self.literals
        if not message.startswith(first):
            return False
        if not others:
            return message == first
        at, last = len(first), others.pop()
        for literal in others:
            at = message.find(literal, at)
            if at < 0:
                return False
            at += len(literal)
        return message.endswith(last) and len(message) - len(last) >= at


def templates_in(texts: Iterable[ast.expr]) -> tuple[Template, ...]:
    """Return the templates of expressions that have words of their own."""
    found = (_template(_pieces(text)) for choice in texts for text in _choices(choice))
    return tuple(itertools.islice(filter(_has_words, found), MAX_TEMPLATES))


@functools.lru_cache(maxsize=1024)
def with_arguments(text: str) -> Template | None:
    """Return the template of a message whose arguments logging fills in; None when it has no words of its own."""
    template = _template(_percent(text))
    return template if _has_words(template) else None


def _choices(node: ast.expr) -> list[ast.expr]:
    """Return the texts that an expression may choose between."""
    if isinstance(node, ast.IfExp):
        return [*_choices(node.body), *_choices(node.orelse)]
    return [c for value in node.values for c in _choices(value)] if isinstance(node, ast.BoolOp) else [node]


class _Hole(str):
    """What is filled in, as it is shown."""

    __slots__ = ()


def _pieces(node: ast.expr) -> list[str]:
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr():
            return [piece for value in node.values for piece in _pieces(value)]
        case ast.FormattedValue():
            return _pieces(node.value) if isinstance(node.value, ast.Constant) else [_shown(node.value)]
        case ast.BinOp(op=ast.Add()):
            return _pieces(node.left) + _pieces(node.right)
        case ast.BinOp(op=ast.Mod(), left=ast.Constant(value=str(text))):
            return _percent(text)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return _format(text)
    return [_shown(node)]


def _shown(node: ast.expr) -> _Hole:
    text = ast.unparse(node)
    return _Hole(f"{{{text if len(text) <= MAX_SHOWN else '…'}}}")


def _percent(text: str) -> list[str]:
    return _split(text, _CONVERSION, {"%%": "%"})


def _format(text: str) -> list[str]:
    return _split(text, _FIELD, {"{{": "{", "}}": "}"})


def _split(text: str, hole: re.Pattern[str], escaped: dict[str, str]) -> list[str]:
    pieces, at = [], 0
    for match in hole.finditer(text):
        pieces += [text[at : match.start()], escaped.get(match[0]) or _Hole(match[0])]
        at = match.end()
    return [*pieces, text[at:]]


def _template(pieces: Iterable[str]) -> Template:
    literals, shown = [""], []
    for piece in pieces:
        if isinstance(piece, _Hole):
            literals.append("")
        else:
            literals[-1] += piece
        shown.append(piece)
    return Template("".join(shown), tuple(literals))


def _has_words(template: Template) -> bool:
    return len(template.shown) <= MAX_TEMPLATE and any(map(_LETTERS.search, template.literals))
