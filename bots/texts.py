"""Texts and conditions: Jinja2, sandboxed and strict, compiled once. The only importer of jinja2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.environment import TemplateExpression
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment


class BrokenText(Exception):
    """A text that cannot be compiled or rendered. *line* counts from 1 within the text, 0 where unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Text:
    """A compiled text. *names* are the root names that it reads."""

    def __init__(self, template: Template, names: frozenset[str]) -> None:
        self._template = template
        self.names = names

    def render(self, scope: Mapping[str, Any]) -> str:
        """The text with what *scope* knows. Raises `BrokenText` where it reads what is unset."""
        try:
            return self._template.render(scope)
        # A template runs the author's expressions: `1 / 0` and `none + 1` are broken texts too.
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as broken:
            raise BrokenText(f"{type(broken).__name__}: {broken}") from broken


class Value:
    """A compiled value: exactly one ``{{ expression }}`` keeps its type, all else is a text."""

    def __init__(self, expression: TemplateExpression | None, text: Text) -> None:
        self._expression = expression
        self._text = text
        self.names = text.names
        self.keeps_its_type = expression is not None

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """The value with what *scope* knows. Raises `BrokenText` where it reads what is unset."""
        if self._expression is None:
            return self._text.render(scope)
        try:
            value = self._expression(scope)
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as broken:
            raise BrokenText(f"{type(broken).__name__}: {broken}") from broken
        if isinstance(value, Undefined):
            # `str` of a strict undefined raises with its own words.
            return self._text.render(scope)
        return value


class Condition:
    """A compiled condition. *names* are the root names that it reads."""

    def __init__(self, expression: TemplateExpression, names: frozenset[str]) -> None:
        self._expression = expression
        self.names = names

    def holds(self, scope: Mapping[str, Any]) -> bool:
        """Whether it is true with what *scope* knows. Raises `BrokenText` where it reads what is unset."""
        try:
            return bool(self._expression(scope))
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as broken:
            raise BrokenText(f"{type(broken).__name__}: {broken}") from broken


class _Environment(ImmutableSandboxedEnvironment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        """Keys first: ``order.items`` is the order's field, not a method of dict."""
        if isinstance(obj, Mapping):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A mapping has its keys and nothing else."""
        if isinstance(obj, Mapping):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)


def _otherwise(value: Any, fallback: Any) -> Any:
    return fallback if isinstance(value, Undefined) else value


def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
    # What an author can reach is what the scope holds, nothing that ships with Jinja2 (range, cycler, lipsum, …).
    environment.globals.clear()
    environment.filters["otherwise"] = _otherwise
    return environment


_ENVIRONMENT = _environment()


# What Jinja2 has for whole pages, and a text has no use for.
_FOR_PAGES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block, nodes.Macro, nodes.CallBlock)


def compile_text(source: str) -> Text:
    """The compiled text. Raises `BrokenText` with the line at fault."""
    with _syntax_errors():
        parsed = _parse(source)
        return Text(_ENVIRONMENT.from_string(parsed), frozenset(meta.find_undeclared_variables(parsed)))


def compile_value(source: str) -> Value:
    """The compiled value. Raises `BrokenText` with the line at fault."""
    text = compile_text(source)
    with _syntax_errors():
        match _parse(source).body:
            case [nodes.Output(nodes=[expression])] if not isinstance(expression, nodes.TemplateData):
                return Value(_ENVIRONMENT.compile_expression(_inside(source), undefined_to_none=False), text)
    return Value(None, text)


def compile_condition(source: str) -> Condition:
    """The compiled condition, an expression without braces. Raises `BrokenText`."""
    with _syntax_errors():
        expression = _ENVIRONMENT.compile_expression(source, undefined_to_none=False)
        parsed = _ENVIRONMENT.parse("{{ " + source + " }}")
        return Condition(expression, frozenset(meta.find_undeclared_variables(parsed)))


def _parse(source: str) -> nodes.Template:
    parsed = _ENVIRONMENT.parse(source)
    for found in parsed.find_all(_FOR_PAGES):
        raise BrokenText("a text cannot include, import, extend or define others", found.lineno)
    return parsed


def _inside(source: str) -> str:
    """The expression of a source that is exactly one ``{{ expression }}``, comments aside."""
    begin, end = source.index("{{"), source.rindex("}}")
    return source[begin + 2 : end].removeprefix("-").removesuffix("-")


@contextmanager
def _syntax_errors() -> Iterator[None]:
    try:
        yield
    except TemplateSyntaxError as broken:
        raise BrokenText(broken.message or "cannot be read", broken.lineno) from broken
    except RecursionError as broken:
        raise BrokenText("is nested too deeply") from broken
    # Jinja2 computes what is constant while it compiles.
    except (TemplateError, ArithmeticError, ValueError, MemoryError) as broken:
        raise BrokenText(f"cannot be computed: {type(broken).__name__}") from broken
