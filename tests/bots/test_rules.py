"""The flow language's rules, by their numbers in the design: what a customer's message does."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.check import check_flow
from bots.conversation import Channel, Conversation, Customer, Dialogue
from bots.effects import Close, Effect, HandOff, Say
from bots.engine import BUILT_IN_TEXT, step
from bots.events import EffectFailed, Message
from bots.flow import Ask
from bots.flow import HandOff as HandOffState
from bots.loader import load_flow
from bots.turn import Turn
from bots.version import Version, restore

NOW = datetime(2026, 1, 10, 9, tzinfo=UTC)
FLOWS = Path(__file__).parents[2] / "flows"

ORDERS = """\
flow: orders
start: ask_order
data:
  order_no: {type: text}
  name: {type: text}
  wish: {type: text}
  score: {type: integer}
  reason: {type: text, otherwise: other}
words:
  agent: [agent, human, talk to a person]
  restart: [restart, start over]
  short: [stop, start]
every_question:
  tries: {most: 3, goto: to_agent}
anywhere:
  - {hears: agent, goto: to_agent, set: {reason: asked_for_person}}
  - {hears: restart, goto: ask_order}
  - {hears: short, goto: ask_name}
states:
  ask_order:
    ask: "What is your order number?"
    save_as: order_no
    clean: [trim, remove_spaces]
    must: {match: '[0-9]{8}'}
    wrong: ["That is not an order number.", "It has eight digits."]
    goto: tell
  tell:
    ask: "Order {{ order_no }}. Anything else?"
    choices:
      - {label: Another order, goto: ask_order}
      - {label: My name, goto: ask_name}
      - {label: "No, thanks", value: nothing}
    save_as: wish
    goto: ask_name
  ask_name:
    ask: "Your name?"
    save_as: name
    clean: [trim]
    goto: rate
  rate:
    ask: "How did we do, 1 to 5?"
    choices: {from: 1, to: 5}
    save_as: score
    tries: none
    goto: finish
  to_agent:
    handoff: support
    attributes: {reason: "{{ reason }}"}
    outcomes: {failed: leave_number, ended: rate}
  leave_number:
    ask: "Nobody is here. Your phone number?"
    must: {match: '[0-9]+'}
    goto: finish
  finish: {say: "Goodbye!", end: close}
"""


def version(text: str = ORDERS) -> Version:
    """The flow in *text*, which has no errors."""
    loaded = load_flow(text, path="flow")
    assert loaded.flow is not None, loaded.problems
    return Version(loaded.flow)


def a_question(keys: str, *, more: str = "") -> Version:
    """A flow whose only question `q` has these *keys*, kept as `kept`; then it says what was kept."""
    return version(
        f"flow: one\nstart: hello\ndata: {{kept: {{type: text}}}}\n{more}states:\n"
        "  hello: {ask: Hello, goto: q}\n"
        f"  q: {{ask: Q, save_as: kept, goto: told, {keys}}}\n"
        "  told: {say: 'Kept {{ kept }}', goto: more}\n  more: {ask: More?, end: start_over}\n"
        "  away: {say: Away, end: close}\n"
    )


def conversation(dialogue: Dialogue | None = None) -> Conversation:
    return Conversation(
        id="CH1",
        channel=Channel("conversations"),
        flow="orders",
        lookup="done",
        customer=Customer(author="jana", name="Jana"),
        dialogue=dialogue,
    )


def talk(version: Version, *messages: str, start: Conversation | None = None) -> Turn:
    """The last turn of a conversation in which the customer writes *messages*."""
    now = start or conversation()
    for number, text in enumerate(messages):
        event = Message(key=f"IM{number}", at=NOW, author="jana", text=text, index=number)
        turn = step(version, now, event, NOW)
        now = turn.conversation
    return turn


def at(version: Version, state: str, **data: object) -> Conversation:
    """A conversation with the question *state* open."""
    return conversation(Dialogue(version.hash, state, dict(data)))


def said(turn: Turn) -> list[str]:
    return [effect.text for effect in turn.effects if isinstance(effect, Say)]


def data(turn: Turn) -> dict[str, object]:
    assert turn.conversation.dialogue is not None
    return turn.conversation.dialogue.data


def has(turn: Turn, kind: type[Effect]) -> bool:
    return any(isinstance(effect, kind) for effect in turn.effects)


class TestRule1Kinds:
    """`choose` goes on by its branches and says nothing."""

    CHOOSE = version("""\
flow: one
start: ask_score
trouble: sorry
data: {score: {type: integer}, topic: {type: text}}
states:
  ask_score: {ask: "1 to 9?", choices: {from: 1, to: 9}, save_as: score, goto: sort}
  sort:
    choose:
      - {when: score > 6, goto: good}
      - {when: "score > 5 or customer.name == 'Ann'", goto: fair}
      - {when: "score == 1 and topic == 'x'", goto: fair}
      - {otherwise: bad}
  good: {say: Good, end: close}
  fair: {say: Fair, end: close}
  bad: {say: Bad, end: close}
  sorry: {say: Sorry, end: close}
""")

    @pytest.mark.parametrize(("score", "text", "rule"), [("9", "Good", "case 1"), ("6", "Fair", "case 2")])
    def test_rule_1_the_first_case_that_holds_is_taken(self, score: str, text: str, rule: str) -> None:
        turn = talk(self.CHOOSE, "hi", score)
        assert said(turn) == [text]
        assert turn.trace.rule == f"answered → {rule}"

    def test_rule_1_where_no_case_holds_otherwise_follows(self) -> None:
        turn = talk(self.CHOOSE, "hi", "3")
        assert said(turn) == ["Bad"]
        assert turn.trace.rule == "answered → otherwise"

    def test_rule_15_a_condition_that_raises_is_trouble_and_not_false(self) -> None:
        """With a score of 1 the third case reads `topic`, which is unset."""
        turn = talk(self.CHOOSE, "hi", "1")
        assert said(turn) == ["Sorry"]
        assert turn.conversation.ladder == ("trouble",)

    def test_rule_15_a_condition_that_cannot_be_computed_is_trouble_too(self) -> None:
        unequal = version(
            "flow: one\nstart: sort\nstates:\n"
            "  sort: {choose: [{when: first_message > 3, goto: a}, {otherwise: a}]}\n  a: {say: A, end: close}\n"
        )
        turn = talk(unequal, "hi")
        assert said(turn) == [BUILT_IN_TEXT]
        assert has(turn, HandOff)


class TestRule2Opening:
    def test_rule_2_anywhere_hears_the_first_message(self) -> None:
        turn = talk(version(), "an agent please")
        assert turn.conversation.owner == "queued"
        assert turn.effects == (
            HandOff(
                target="support", attributes={"reason": "asked_for_person"}, language="en", reason="anywhere agent"
            ),
        )
        assert turn.trace.rule == "anywhere agent"
        assert turn.trace.changed == {"reason": "asked_for_person"}

    def test_rule_2_else_the_start_is_entered_and_the_message_stays_readable(self) -> None:
        turn = talk(version(), "Hello")
        assert said(turn) == ["What is your order number?"]
        assert turn.conversation.dialogue is not None
        assert turn.conversation.dialogue.first_message == "Hello"


class TestRule3Offered:
    def test_rule_3_a_message_that_fits_is_taken_and_the_question_not_put(self) -> None:
        turn = talk(version(), " 1234 5678 ")
        assert said(turn) == ["Order 12345678. Anything else?\n1. Another order\n2. My name\n3. No, thanks"]
        assert turn.trace.rule == "open → answered"

    def test_rule_3_one_that_does_not_fit_is_let_go_and_counts_no_try(self) -> None:
        opened = talk(version(), "Good morning")
        assert said(opened) == ["What is your order number?"]
        assert opened.conversation.dialogue is not None
        assert opened.conversation.dialogue.tries == 0

    def test_rule_3_it_is_offered_through_texts_and_choices_to_the_first_question(self) -> None:
        flow = version("""\
flow: one
start: greet
data: {size: {type: text}}
states:
  greet: {say: Welcome, goto: sort}
  sort: {choose: [{when: "customer.name == 'Jana'", goto: size}, {otherwise: greet_ann}]}
  greet_ann: {say: Ann, end: close}
  size: {ask: "Small or large?", choices: [{label: Small}, {label: Large}], save_as: size, goto: again}
  again: {ask: "Again?", choices: [{label: Large}], end: close}
""")
        turn = talk(flow, "a large one, please")
        assert said(turn) == ["Welcome", "Again?\n1. Large"], "it is offered to one question only"
        assert data(turn) == {"size": "Large"}

    def test_rule_3_choices_are_taken_by_label_and_not_by_number(self) -> None:
        flow = version(
            "flow: one\nstart: q\nstates:\n  q: {ask: Q, choices: [{label: Red}, {label: Blue}], goto: bye}\n"
            "  bye: {say: Bye, end: close}\n"
        )
        assert said(talk(flow, "2")) == ["Q\n1. Red\n2. Blue"]
        assert said(talk(flow, "blue")) == ["Bye"]

    def test_rule_3_a_free_question_takes_no_offered_message(self) -> None:
        free = version("flow: one\nstart: q\nstates:\n  q: {ask: Q, goto: bye}\n  bye: {say: Bye, end: close}\n")
        assert said(talk(free, "hello")) == ["Q"]
        assert said(talk(free, "hello", "hello")) == ["Bye"]

    def test_rule_3_what_trouble_leads_to_is_offered_nothing(self) -> None:
        broken = version("""\
flow: one
start: greet
trouble: q
data: {topic: {type: text}}
states:
  greet: {say: "Hi {{ topic }}", goto: q}
  q: {ask: Q, choices: [{label: Red}], goto: bye}
  bye: {say: Bye, end: close}
""")
        assert said(talk(broken, "red")) == ["Q\n1. Red"]


class TestRule4Turn:
    def test_rule_4_conditions_that_lead_in_a_circle_end_as_trouble(self) -> None:
        text = "flow: one\nstart: a\nstates:\n  a: {choose: [{otherwise: b}]}\n  b: {choose: [{otherwise: a}]}\n"
        loaded = load_flow(text, path="flow")
        assert [problem.code for problem in check_flow(loaded)] == ["F030"]
        turn = talk(version(text), "hi")
        assert said(turn) == [BUILT_IN_TEXT]
        assert "more than 50 states" in turn.trace.rule

    def test_rule_4_a_question_that_takes_what_is_offered_is_no_end_of_the_turn(self) -> None:
        assert talk(version(), "12345678").trace.went_to == "tell"


class TestRule5Hearing:
    def test_rule_5_anywhere_goes_before_choices(self) -> None:
        flow = a_question(
            "choices: [{label: Human}]",
            more="words: {agent: [human]}\nanywhere: [{hears: agent, goto: away}]\n",
        )
        assert said(talk(flow, "hi", "ok", "human")) == ["Away"]

    def test_rule_5_choices_go_before_must(self) -> None:
        flow = a_question("choices: [{label: Red, goto: away}], must: {match: '[a-z]+'}")
        assert said(talk(flow, "hi", "ok", "red")) == ["Away"]
        assert said(talk(flow, "hi", "ok", "blue")) == ["Kept blue", "More?"]

    def test_rule_5_the_longer_phrase_is_heard(self) -> None:
        """`start` stands in the entry behind, `start over` is longer."""
        flow = version()
        assert talk(flow, "start over please", start=at(flow, "rate")).trace.rule == "anywhere restart"
        assert talk(flow, "start please", start=at(flow, "rate")).trace.rule == "anywhere short"

    def test_rule_5_of_the_same_length_the_first_written_is_heard(self) -> None:
        more = "words: {one: [left], two: [west]}\nanywhere: [{hears: two, goto: away}, {hears: one, goto: more}]\n"
        flow = a_question("must: {match: x}", more=more)
        assert talk(flow, "hi", "ok", "left west").trace.rule == "anywhere two"

    def test_rule_5_what_is_exact_goes_before_what_was_meant(self) -> None:
        """ "Marta" is one typing error away from "Martha", and a choice of its own."""
        more = "words: {martha: [Martha]}\nanywhere: [{hears: martha, goto: away}]\n"
        flow = a_question("choices: [{label: Marta}]", more=more)
        assert said(talk(flow, "hi", "ok", "marta")) == ["Kept Marta", "More?"]
        assert said(talk(flow, "hi", "ok", "marhta")) == ["Away"]

    def test_rule_5_nothing_is_heard_while_an_agent_has_the_chat(self) -> None:
        with_agent = msgspec.structs.replace(at(version(), "to_agent"), owner="agent")
        assert talk(version(), "agent", start=with_agent).effects == ()

    def test_rule_5_values_that_are_set_are_computed(self) -> None:
        flow = a_question(
            "must: {match: x}",
            more="words: {us: [again]}\nanywhere: [{hears: us, goto: told, set: {kept: '{{ customer.name }}!'}}]\n",
        )
        assert said(talk(flow, "hi", "ok", "again")) == ["Kept Jana!", "More?"]

    def test_rule_5_a_value_that_cannot_be_computed_is_trouble(self) -> None:
        flow = a_question(
            "must: {match: x}",
            more="words: {again: [again]}\nanywhere: [{hears: again, goto: told, set: {kept: '{{ kept }}'}}]\n",
        )
        assert said(talk(flow, "hi", "again")) == [BUILT_IN_TEXT]


class TestRule6Phrases:
    @pytest.mark.parametrize(
        "message",
        [
            "agent",
            "AGENT!",
            "¡Agént!",
            "  “agent”…  ",
            "agent 🙏",
            "an agent, please",
            "is there no agent around here",
            "Could I Talk to a PERSON?",
            "agnet",
            "agents",
            "I need an agnet please",
            "tlak to a persom",
        ],
    )
    def test_rule_6_a_phrase_is_heard(self, message: str) -> None:
        flow = version()
        assert talk(flow, message, start=at(flow, "ask_order")).trace.rule == "anywhere agent"

    @pytest.mark.parametrize(
        "message",
        [
            "is there no agent around here today",
            "agentless",
            "reagent",
            "humane-ish",
            "aegtn",
            "agnnet s",
            "talk to your parson now",
        ],
    )
    def test_rule_6_a_phrase_is_not_heard(self, message: str) -> None:
        """In seven words, inside another word, with more typing errors than one for five letters."""
        flow = version()
        assert talk(flow, message, start=at(flow, "ask_order")).trace.rule == "wrong 1"

    @pytest.mark.parametrize(
        ("message", "rule"), [("stop", "anywhere short"), ("stpo", "wrong 1"), ("stops", "wrong 1")]
    )
    def test_rule_6_below_five_letters_no_typing_error_is_forgiven(self, message: str, rule: str) -> None:
        flow = version()
        assert talk(flow, message, start=at(flow, "ask_order")).trace.rule == rule

    def test_rule_6_digits_are_never_typing_errors(self) -> None:
        flow = a_question("choices: [{label: Order 12345, goto: away}]")
        assert talk(flow, "hi", "ok", "order 12346").trace.rule == "wrong 1"
        assert talk(flow, "hi", "ok", "oder 12345").trace.rule == "choice 1"

    def test_rule_6_the_fewest_typing_errors_win(self) -> None:
        flow = a_question("choices: [{label: Delivered now}, {label: Deliver new}]")
        assert talk(flow, "hi", "ok", "deliverd new").trace.rule == "choice 2"
        assert talk(flow, "hi", "ok", "deliverd now").trace.rule == "choice 1"

    def test_rule_6_in_a_free_question_a_phrase_is_heard_only_as_the_whole_message(self) -> None:
        flow = version()
        call = talk(flow, "I need a human to call me", start=at(flow, "ask_name"))
        assert call.trace.changed == {"name": "I need a human to call me"}
        assert talk(flow, "human Smith", start=at(flow, "ask_name")).trace.changed == {"name": "human Smith"}
        assert talk(flow, "Human!", start=at(flow, "ask_name")).trace.rule == "anywhere agent"

    def test_rule_6_other_scripts_keep_their_marks_and_phrases_without_letters_are_heard(self) -> None:
        flow = a_question('choices: [{label: かき}, {label: がき}, {label: "👍"}, {label: помощь}]')
        for message, rule in {"がき": "choice 2", "👍": "choice 3", "ПОМОЩЬ!": "choice 4", "？": "wrong 1"}.items():
            assert talk(flow, "hi", "ok", message).trace.rule == rule


class TestRule7Must:
    @pytest.mark.parametrize(("answer", "kept"), [("12345678", "12345678"), (" 1234\t5678 ", "12345678")])
    def test_rule_7_the_whole_cleaned_answer_has_to_fit(self, answer: str, kept: str) -> None:
        flow = version()
        assert data(talk(flow, answer, start=at(flow, "ask_order"))) == {"order_no": kept}

    @pytest.mark.parametrize("answer", ["1234567", "123456789", "it is 12345678", "12345678x", "", "１２３４５６７８"])
    def test_rule_7_a_part_that_fits_is_not_enough(self, answer: str) -> None:
        flow = version()
        assert said(talk(flow, answer, start=at(flow, "ask_order"))) == ["That is not an order number."]

    @pytest.mark.parametrize(
        ("clean", "answer", "kept"),
        [
            ("[trim]", "  Ab 1 ", "Ab 1"),
            ("[remove_spaces, upper]", " ab 1\u00a02 ", "AB12"),
            ("[lower]", "AB", "ab"),
            ("[digits]", "+420 (601) ٣", "4206013"),
            ("[]", " a ", " a "),
        ],
    )
    def test_rule_7_what_clean_does(self, clean: str, answer: str, kept: str) -> None:
        keys = f"clean: {clean}" if clean != "[]" else "tries: none"
        assert data(talk(a_question(keys), "hi", "ok", answer)) == {"kept": kept}

    def test_rule_7_the_nth_text_answers_the_nth_wrong_answer_and_the_last_repeats(self) -> None:
        flow = a_question("must: {match: x}, wrong: [First, Second]")
        answers = ["hi", "ok", "a", "b", "c", "d"]
        told = [said(talk(flow, *answers[: number + 1])) for number in range(2, len(answers))]
        assert told == [["First"], ["Second"], ["Second"], ["Second"]]

    def test_rule_7_without_a_text_the_question_is_put_again(self) -> None:
        flow = a_question("choices: [{label: Red}]")
        assert said(talk(flow, "hi", "ok", "blue")) == ["Q\n1. Red"]

    def test_rule_7_with_the_last_try_no_text_is_said_but_its_goto_follows(self) -> None:
        flow = version()
        turn = talk(flow, "hi", "a", "b", "c")
        assert said(turn) == []
        assert has(turn, HandOff)
        assert turn.trace.rule == "tries"
        assert data(turn) == {}

    def test_rule_7_the_count_lives_while_the_question_is_open(self) -> None:
        flow = version()
        turn = talk(flow, "hi", "a", "b", "restart", "a")
        assert turn.trace.rule == "wrong 1"
        turn = talk(flow, "hi", "a", "b", "12345678", "another order", "a")
        assert said(turn) == ["That is not an order number."]

    def test_rule_7_tries_none_switches_the_default_off(self) -> None:
        flow = version()
        turn = talk(flow, *["bad"] * 9, start=at(flow, "rate"))
        assert said(turn) == ["How did we do, 1 to 5?"]
        assert turn.trace.rule == "wrong 9"

    def test_rule_7_a_default_wrong_text_is_said_where_the_question_has_none(self) -> None:
        more = "every_question: {wrong: [Sorry, Pardon]}\n"
        assert said(talk(a_question("must: {match: x}", more=more), "hi", "ok", "a", "b")) == ["Pardon"]
        assert said(talk(a_question("must: {match: x}, wrong: No", more=more), "hi", "ok", "a", "b")) == ["No"]

    def test_rule_7_after_a_handoff_no_default_leads_to_a_handoff(self) -> None:
        """`leave_number` says nothing of tries; the default would send a customer in a circle."""
        flow = version()
        turn = talk(flow, *["nobody"] * 9, start=at(flow, "leave_number"))
        assert said(turn) == ["Nobody is here. Your phone number?"]
        assert turn.trace.rule == "wrong 9"

    @pytest.mark.parametrize(
        ("change", "last"),
        [
            (("failed: leave_number", "failed: sorry"), "wrong 4"),
            (("match: '[0-9]+'}", "match: '[0-9]+'}\n    tries: {most: 3, goto: to_agent}"), "tries"),
            (("tries: {most: 3, goto: to_agent}\nany", "tries: {most: 3, goto: finish}\nany"), "tries"),
            (("tries: {most: 3, goto: to_agent}\nany", "tries: {most: 3, goto: bridge}\nany"), "wrong 4"),
            (("failed: leave_number", "failed: ask_name"), "tries"),
        ],
    )
    def test_rule_7_what_counts_as_after_a_handoff(self, change: tuple[str, str], last: str) -> None:
        """Through texts too; not where the question says so itself, or the default leads elsewhere."""
        assert change[0] in ORDERS
        more = "  sorry: {say: Sorry, goto: leave_number}\n  bridge: {say: Wait, goto: to_agent}\n"
        flow = version(ORDERS.replace(*change) + more)
        wrongs = ["x"] * (4 if last == "wrong 4" else 3)
        assert talk(flow, *wrongs, start=at(flow, "leave_number")).trace.rule == last

    def test_rule_7_a_pattern_takes_time_in_proportion(self) -> None:
        """A backtracking engine would need longer than the world is old."""
        flow = a_question("must: {match: '(a+)+b'}")
        assert talk(flow, "hi", "ok", "a" * 5000).trace.rule == "wrong 1"


class TestRule8Choices:
    @pytest.mark.parametrize("answer", ["Another order", "another order!", "1", "1.", " 1) ", "1️⃣", "anothr order"])
    def test_rule_8_a_choice_is_heard_by_label_and_by_number(self, answer: str) -> None:
        flow = version()
        turn = talk(flow, answer, start=at(flow, "tell", order_no="1"))
        assert said(turn) == ["What is your order number?"]
        assert turn.trace.rule == "choice 1"

    @pytest.mark.parametrize("answer", ["4", "0", "12", "I have 2 orders", "1 2"])
    def test_rule_8_a_number_is_the_whole_message_and_one_of_those_shown(self, answer: str) -> None:
        flow = version()
        assert talk(flow, answer, start=at(flow, "tell", order_no="1")).trace.rule == "wrong 1"

    def test_rule_8_the_value_is_kept_by_default_the_label(self) -> None:
        flow = version()
        start = at(flow, "tell", order_no="1")
        assert talk(flow, "3", start=start).trace.changed == {"wish": "nothing"}
        assert talk(flow, "MY NAME", start=start).trace.changed == {"wish": "My name"}

    def test_rule_8_without_its_own_goto_a_choice_takes_the_states(self) -> None:
        flow = version()
        assert said(talk(flow, "no thanks", start=at(flow, "tell", order_no="1"))) == ["Your name?"]
        ends = a_question("choices: [{label: Stay}]")
        assert talk(ends, "hi", "ok", "stay").trace.went_to == "more"

    def test_rule_8_without_its_own_goto_a_choice_takes_the_states_end(self) -> None:
        flow = version(
            "flow: one\nstart: q\nstates:\n  q: {ask: Q, choices: [{label: Red, goto: q}, {label: Blue}], end: close}\n"
        )
        turn = talk(flow, "hi", "blue")
        assert turn.effects == (Close(),)
        assert said(talk(flow, "hi", "red")) == ["Q\n1. Red\n2. Blue"]

    @pytest.mark.parametrize(("answer", "kept"), [("4", 4), ("4!", 4), ("4 stars", 4), ("５", 5), ("a 2, no, 2", 2)])
    def test_rule_8_a_scale_keeps_an_integer(self, answer: str, kept: int) -> None:
        flow = version()
        turn = talk(flow, answer, start=at(flow, "rate"))
        assert turn.trace.changed == {"score": kept}
        assert said(turn) == ["Goodbye!"]

    @pytest.mark.parametrize(
        "answer", ["0", "6", "four", "4 or 5", "4.5", "9" * 5000, "I waited for about 2 hours, sorry"]
    )
    def test_rule_8_what_is_not_one_number_on_the_scale_is_wrong(self, answer: str) -> None:
        flow = version()
        assert talk(flow, answer, start=at(flow, "rate")).trace.rule == "wrong 1"

    def test_rule_9_an_integers_otherwise_is_a_number(self) -> None:
        flow = version(
            "flow: one\nstart: sort\ndata: {score: {type: integer, otherwise: 3}}\nstates:\n"
            "  sort: {choose: [{when: score == 3, goto: three}, {otherwise: other}]}\n"
            "  three: {say: Three, end: close}\n  other: {say: Other, end: close}\n"
        )
        assert said(talk(flow, "hi")) == ["Three"]


# what all rules have in common


def test_a_version_with_every_key_is_the_same_after_it_was_stored() -> None:
    flow = version()
    again = restore(flow.source)
    assert (again.flow, again.hash) == (flow.flow, flow.hash)
    assert talk(again, "hi", "a", "agnet") == talk(flow, "hi", "a", "agnet")


@pytest.mark.parametrize(
    "change",
    [
        ("[agent, human", "[agent, humans"),
        ("set: {reason: asked_for_person}", "set: {reason: asked}"),
        ("most: 3", "most: 4"),
        ("[trim, remove_spaces]", "[trim]"),
        ("{8}", "{9}"),
        ("It has eight", "It has 8"),
        ("value: nothing", "value: none"),
        ("to: 5", "to: 6"),
        ("    tries: none\n", ""),
    ],
)
def test_each_key_is_part_of_the_versions_hash(change: tuple[str, str]) -> None:
    assert ORDERS.count(change[0]) == 1
    assert version(ORDERS.replace(*change)).hash != version().hash


def test_a_record_from_before_tries_were_counted_is_read() -> None:
    old = b'{"version":"v","state":"ask_order","data":{"name":"Jana"}}'
    assert msgspec.json.decode(old, type=Dialogue) == Dialogue("v", "ask_order", {"name": "Jana"})


def many_states(count: int) -> Version:
    """A flow of *count* questions, each with choices, a default limit, and words that are heard anywhere."""
    states = "".join(
        f"  q{i}: {{ask: Q, choices: [{{label: On}}, {{label: Off, goto: q0}}], wrong: No, goto: q{(i + 1) % count}}}\n"
        for i in range(count)
    )
    return version(
        "flow: many\nstart: q0\nwords: {agent: [agent, human], back: [go back]}\n"
        "every_question: {tries: {most: 3, goto: q0}}\n"
        f"anywhere: [{{hears: agent, goto: q1}}, {{hears: back, goto: q0}}]\nstates:\n{states}"
    )


def calls(version: Version, text: str) -> int:
    """How many Python functions one step enters."""
    start = conversation(Dialogue(version.hash, "q5"))
    event = Message(key="IM1", at=NOW, author="jana", text=text, index=1)
    step(version, start, event, NOW)
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        step(version, start, event, NOW)
    finally:
        sys.setprofile(before)
    return count


def test_what_a_step_costs_does_not_depend_on_the_number_of_states() -> None:
    versions = [many_states(count) for count in (10, 200, 1000)]
    for text in ("on", "2", "an agnet please", "nothing of the kind"):
        counts = {calls(version, text) for version in versions}
        assert len(counts) == 1, f"{text}: {counts}"


NOBODY_COMES = "(the handoff fails)"
MESSAGES = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            [
                "agent",
                "agnet please",
                "restart",
                "start over",
                "12345678",
                "1",
                "2.",
                "3",
                "another order",
                "no",
                "stop",
            ]
        ),
        st.sampled_from(["Opening hours", "my order", "something else", "5", "{{ 7*7 }}", "\ud800", "\0", "", "   "]),
    ),
    max_size=12,
)
CHECKED = [version(), version((FLOWS / "welcome.yaml").read_text(encoding="utf-8"))]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CHECKED), MESSAGES)
def test_a_checked_flow_never_raises_and_always_waits_for_somebody(flow: Version, messages: list[str]) -> None:
    """After each message a question is open, or a person is called, or the chat is closed, or the next one begins anew.

    The person cannot be called where the next message says so.
    """
    now = conversation()
    for number, text in enumerate(messages):
        if text == NOBODY_COMES and now.handoff is not None:
            failed = EffectFailed(key=f"f{number}", at=NOW, answers=now.handoff.id, effect="hand_off", reason="400")
            turn = step(flow, now, failed, NOW)
            assert said(turn), "the customer is told"
        else:
            turn = step(flow, now, Message(key=f"IM{number}", at=NOW, author="jana", text=text, index=number), NOW)
            assert turn.conversation.ladder == ()
        now = turn.conversation
        state = flow.flow.states[now.dialogue.state] if now.dialogue is not None else None
        match now.owner:
            case "bot":
                assert isinstance(state, Ask) or (state is None and said(turn))
            case "queued":
                assert isinstance(state, HandOffState)
            case _:
                assert now.owner == "closed"
