"""Texts: strict, sandboxed, and a value keeps its type."""

from typing import Any

import pytest

from bots.texts import BrokenText, compile_condition, compile_text, compile_value


def test_a_text_tells_which_names_it_reads() -> None:
    text = compile_text("Hi {{ customer.name | otherwise('there') }}, {{ order.status }}")
    assert text.names == {"customer", "order"}


def test_what_is_unset_falls_back_only_where_the_text_says_so() -> None:
    text = "Hi {{ customer.name | otherwise('there') }}!"
    assert compile_text(text).render({"customer": {}}) == "Hi there!"
    assert compile_text(text).render({"customer": {"name": "Jana"}}) == "Hi Jana!"
    with pytest.raises(BrokenText, match="no attribute 'name'"):
        compile_text("Hi {{ customer.name }}!").render({"customer": {}})


def test_keys_come_before_methods() -> None:
    assert compile_text("{{ order.items }}").render({"order": {"items": 3}}) == "3"
    with pytest.raises(BrokenText):
        compile_text("{{ order.items }}").render({"order": {}})


@pytest.mark.promise(9)
@pytest.mark.parametrize("words", ["{{ 7*7 }}", "{% for x in y %}", "{{ customer.__class__ }}", "<b>&</b>"])
def test_what_a_customer_writes_is_never_a_template(words: str) -> None:
    assert compile_text("You wrote: {{ note }}").render({"note": words}) == f"You wrote: {words}"


@pytest.mark.parametrize(
    "source",
    [
        "{{ range(3) }}",
        "{{ ''.__class__ }}",
        "{{ note.format(note) }}{{ lipsum() }}",
        "{{ cycler.__init__ }}",
        "{{ 1 / 0 }}",
        "{{ [].append(1) }}",
    ],
)
def test_an_author_reaches_nothing_but_the_scope(source: str) -> None:
    with pytest.raises(BrokenText):
        compile_text(source).render({"note": "x"})


@pytest.mark.parametrize("source", ["{% if x %}", "{{ x", "{{ x | nosuchfilter }}", "{{ }}"])
def test_a_syntax_error_names_its_line(source: str) -> None:
    with pytest.raises(BrokenText) as broken:
        compile_text("first line\n" + source)
    assert broken.value.line == 2


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{ n }}", 5),
        ("{{- n -}}", 5),
        ("{{ things }}", [1, "two"]),
        ("{{ n }}{{ n }}", "55"),
        (" {{ n }}", " 5"),
        ("number {{ n }}", "number 5"),
        ("{{ gone | otherwise(7) }}", 7),
        ("plain", "plain"),
        ("{# why #}{{ n }}{# c #}", 5),
    ],
)
def test_exactly_one_expression_keeps_its_type(source: str, value: Any) -> None:
    assert compile_value(source).evaluate({"n": 5, "things": [1, "two"]}) == value


def test_an_unset_value_is_broken_not_none() -> None:
    with pytest.raises(BrokenText):
        compile_value("{{ gone }}").evaluate({})


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{{ 10 ** 99999 }}",
        "{% include 'x' %}",
        "{% macro a() %}{% endmacro %}",
    ],
)
def test_what_cannot_be_compiled_is_broken_and_nothing_else(source: str) -> None:
    with pytest.raises(BrokenText):
        compile_value(source).evaluate({})


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("n > 4", True),
        ("n > 4 and not things", False),
        ("n", True),
        ("gone is defined", False),
        ("gone | otherwise(7) == 7", True),
        ("order.items == 'a }} b'", True),
        ("'{{ n }}' == order.items", False),
    ],
)
def test_a_condition_holds_or_does_not(source: str, holds: bool) -> None:
    scope = {"n": 5, "things": [1], "order": {"items": "a }} b"}}
    assert compile_condition(source).holds(scope) is holds


def test_a_condition_tells_which_names_it_reads() -> None:
    assert compile_condition("order.total > 100 and name == 'x'").names == {"order", "name"}


@pytest.mark.parametrize("source", ["gone", "gone > 1", "order.gone", "n > 'a'", "1 / (n - 5) > 0", "gone and n"])
def test_a_condition_that_cannot_be_told_is_broken_not_false(source: str) -> None:
    with pytest.raises(BrokenText):
        compile_condition(source).holds({"n": 5, "order": {}})


@pytest.mark.parametrize("source", ["", "n >", "{{ n }}", "n }} {{ n", "n; n", "{% if n %}", "n | shout", "(" * 5000])
def test_what_is_no_condition_is_refused(source: str) -> None:
    with pytest.raises(BrokenText):
        compile_condition(source)
