"""What both sides of the store promise: a happening counts once, a turn is committed whole or not at all."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from bots.conversation import Heard
from bots.effects import Close, Effect, Fetch, HandOff, LookUp, Say
from bots.events import EffectFailed
from gateway.store import Changes, Ended, Loaded, Store, StoreUnavailable, open_store
from tests.gateway.store.conftest import OpenStore
from tests.gateway.store.turns import (
    A_SECOND,
    NOW,
    conversation,
    echo,
    ending,
    message,
    raise_epoch,
    say,
    statuses,
    turn,
    until,
    wait,
)

# One event, one turn


async def test_a_first_event_makes_the_record_the_journal_and_the_effects(store: Store) -> None:
    event = message("m1")

    changes = await store.take(conversation(), event, echo(event), now=NOW)

    assert changes is not None
    assert await store.load("CH1") == changes.conversation
    assert await store.journal("CH1") == [changes.came]
    [effect] = await store.effects("CH1")
    assert effect == (changes.effects[0], "pending", "", 0, None)


async def test_a_turn_finds_what_the_turn_before_left(store: Store) -> None:
    await say(store, "m1")

    changes = await say(store, "m2")

    assert changes is not None
    assert changes.conversation.journal == 2
    assert [entry.position for entry in await store.journal("CH1")] == [0, 1]


async def test_an_unknown_conversation_is_none(store: Store) -> None:
    assert await store.load("CH1") is None
    assert await store.journal("CH1") == []
    assert await store.effects("CH1") == []


@pytest.mark.promise(2)
async def test_one_event_twenty_times_at_once_counts_once(store: Store) -> None:
    outcomes = await asyncio.gather(*(say(store, "m1") for _ in range(20)))

    assert len([changes for changes in outcomes if changes]) == 1
    await _expect_turns(store, "CH1", 1)


@pytest.mark.promise(3)
async def test_many_events_at_once_are_taken_one_at_a_time(store: Store) -> None:
    outcomes = await asyncio.gather(*(say(store, f"m{n}") for n in range(40)))

    assert all(outcomes)
    await _expect_turns(store, "CH1", 40)


@pytest.mark.promise(2)
@pytest.mark.promise(3)
async def test_two_processes_claim_each_event_once(another: OpenStore) -> None:
    """Both are told of the same twenty events at the same time."""
    one, two = await another(), await another()

    outcomes = await asyncio.gather(*(say(store, f"m{n}") for n in range(20) for store in (one, two)))

    assert len([changes for changes in outcomes if changes]) == 20
    await _expect_turns(one, "CH1", 20)


async def test_two_processes_meet_in_a_new_conversation(another: OpenStore) -> None:
    one, two = await another(), await another()

    for n in range(20):
        name = f"CH{n}"
        assert all(await asyncio.gather(say(one, f"{name}a", to=name), say(two, f"{name}b", to=name)))
        await _expect_turns(one, name, 2)


async def test_an_event_is_claimed_in_all_conversations(store: Store) -> None:
    await say(store, "m1", to="CH1")

    assert await say(store, "m1", to="CH2") is None
    assert await store.load("CH2") is None
    assert await store.effects("CH2") == []


async def test_an_event_told_to_many_conversations_at_once_counts_in_one(another: OpenStore) -> None:
    one, two = await another(), await another()

    told = ((store, f"CH{n}") for n in range(10) for store in (one, two))
    outcomes = await asyncio.gather(*(say(store, "m1", to=name) for store, name in told))

    [changes] = [changes for changes in outcomes if changes]
    await _expect_turns(one, changes.conversation.id, 1)
    assert [one.id for one in await one.conversations_since(NOW - A_SECOND)] == [changes.conversation.id]


async def test_a_duplicate_changes_nothing(store: Store) -> None:
    first = await say(store, "m1")
    event = message("m1", "other words")

    assert await store.take(conversation(), event, turn(event, Say(text="new"), record=raise_epoch), now=NOW) is None

    assert first is not None
    assert await store.load("CH1") == first.conversation
    assert await store.journal("CH1") == [first.came]
    assert await statuses(store) == {"m1:0": "pending"}


async def test_of_a_duplicate_decide_has_no_say(store: Store) -> None:
    """Its error is not the caller's, since the event has had its turn."""
    await say(store, "m1")

    assert await store.take(conversation(), message("m1"), _fail, now=NOW) is None


# Failing turns


async def test_of_a_failing_decide_nothing_is_left(store: Store) -> None:
    """Not even a conversation without a record is to be seen."""
    with pytest.raises(ZeroDivisionError):
        await store.take(conversation(), message("m1"), _fail, now=NOW)

    assert await store.load("CH1") is None
    assert await store.journal("CH1") == []
    assert await store.conversations_since(NOW - A_SECOND) == []
    assert await say(store, "m1"), "the event is free again"


async def test_a_failing_decide_is_its_own_callers_alone(store: Store) -> None:
    failing = store.take(conversation("CH2"), message("bad"), _fail, now=NOW)

    outcomes = await asyncio.gather(say(store, "m1"), failing, say(store, "m2"), return_exceptions=True)

    assert isinstance(outcomes[1], ZeroDivisionError)
    await _expect_turns(store, "CH1", 2)


async def test_a_decide_that_raises_stop_iteration_answers_all_the_same(store: Store) -> None:
    """No future takes this exception, so a careless store leaves its callers waiting for ever."""

    def decide(_: Loaded) -> Changes:
        raise StopIteration

    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await store.take(conversation(), message("m1"), decide, now=NOW)


async def test_a_commit_that_breaks_half_way_leaves_nothing(store: Store) -> None:
    """An effect's id that is taken is found late, after claim and record were written."""
    await say(store, "m1")
    event = message("m2")
    decide = turn(event, Say(text="fine"), record=raise_epoch)

    def twice(loaded: Loaded) -> Changes:
        changes = decide(loaded)
        return replace(changes, effects=(*changes.effects, replace(changes.effects[0], id="m1:0")))

    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.take(conversation(), event, twice, now=NOW)

    await _expect_turns(store, "CH1", 1)
    assert await statuses(store) == {"m1:0": "pending"}
    assert await say(store, "m2")


# What a turn finds


async def test_waiting_events_are_found_in_order_and_taken_by_a_later_turn(store: Store) -> None:
    for n in range(12):
        event = message(f"w{n}", f"text {n}")
        await store.take(conversation(), event, wait(event), now=NOW)
    found: list[Loaded] = []
    last = message("m")

    def decide(loaded: Loaded) -> Changes:
        found.append(loaded)
        return turn(last)(loaded)

    await store.take(conversation(), last, decide, now=NOW)

    assert [entry.event.key for entry in found[-1].waiting] == [f"w{n}" for n in range(12)]
    assert all(entry.trace and entry.trace.went_to == "after m" for entry in await store.journal("CH1"))
    assert (await _found(store)).waiting == ()


async def test_a_waiting_event_is_claimed(store: Store) -> None:
    event = message("w1")
    await store.take(conversation(), event, wait(event), now=NOW)

    assert await store.take(conversation(), event, echo(event), now=NOW) is None
    assert [entry.trace for entry in await store.journal("CH1")] == [None]


async def test_said_are_the_indexes_of_our_messages_above_what_is_heard(store: Store) -> None:
    event = message("m1")
    says = [Say(text=str(n)) for n in range(12)]
    heard = turn(event, *says, record=lambda found: replace(found, heard=Heard(3)))
    await store.take(conversation(), event, heard, now=NOW)
    await say(store, "x", to="CH2")
    await store.finish("x:0", "performed", message_index=50)
    for n in reversed(range(12)):
        await store.finish(f"m1:{n}", "performed", message_index=n)

    assert (await _found(store)).said == (4, 5, 6, 7, 8, 9, 10, 11)


async def test_on_the_wire_are_pending_messages_alone(store: Store) -> None:
    event = message("m1")
    effects: list[Effect] = [Say(text="a"), Say(text="b"), Say(text="c"), LookUp(), Fetch(after=1), Close()]
    await store.take(conversation(), event, turn(event, *effects), now=NOW)
    await say(store, "x", to="CH2")
    await store.finish("m1:1", "performed", message_index=1)

    assert (await _found(store)).on_the_wire == 2


# What customers write


@pytest.mark.parametrize(
    "text",
    ["مرحبا، أريد المساعدة", "👩🏽‍🚀🇨🇿", "a\0b", "\\u0000 \\ \" '", "\ufeff\u202e\uffff\x7f", "x" * 32 * 1024, ""],
    ids=["arabic", "emoji", "nul", "escapes", "odd", "32 KB", "empty"],
)
async def test_every_text_comes_back_as_it_was(store: Store, text: str) -> None:
    changes = await say(store, "m1", text)

    assert changes is not None
    [entry] = await store.journal("CH1")
    [effect] = await store.effects("CH1")
    assert entry.event == message("m1", text)
    assert effect.outgoing.effect == Say(text=text)


async def test_odd_text_in_records_and_reasons(store: Store) -> None:
    event = message("m1")
    record = turn(event, Say(text="x"), record=lambda found: replace(found, pre_engagement={"name\0": ["ñ\0", 1.5]}))
    await store.take(conversation(), event, record, now=NOW)
    await store.note_attempt("m1:0", "said \0 no")
    await store.finish("m1:0", "refused", reason="never \0")

    loaded = await store.load("CH1")
    assert loaded is not None
    assert loaded.pre_engagement == {"name\0": ["ñ\0", 1.5]}
    [effect] = await store.effects("CH1")
    assert effect.reason == "never \N{REPLACEMENT CHARACTER}"


# Effects


@pytest.mark.promise(6)
async def test_raising_the_epoch_drops_what_is_pending_in_the_same_commit(store: Store) -> None:
    await say(store, "m1")
    await say(store, "m2")
    await store.finish("m1:0", "performed", message_index=1)
    await say(store, "other", to="CH2")
    event = message("m3")

    await store.take(conversation(), event, turn(event, Say(text="bye"), record=raise_epoch), now=NOW)

    assert await statuses(store) == {"m1:0": "performed", "m2:0": "dropped", "m3:0": "pending"}
    assert [effect.reason for effect in await store.effects("CH1")] == ["", "epoch", ""]
    assert await statuses(store, "CH2") == {"other:0": "pending"}


async def test_a_turn_drops_its_own_effects_of_an_older_epoch(store: Store) -> None:
    """Several events taken in one commit may overtake one another."""
    event = message("m1")
    decide = turn(event, Say(text="early"), Say(text="late"), record=raise_epoch)

    def older(loaded: Loaded) -> Changes:
        changes = decide(loaded)
        early, late = changes.effects
        return replace(changes, effects=(replace(early, epoch=0), late))

    await store.take(conversation(), event, older, now=NOW)

    assert await statuses(store) == {"m1:0": "dropped", "m1:1": "pending"}


async def test_an_effect_of_the_highest_epoch_is_never_dropped(store: Store) -> None:
    event = message("m1")
    decide = turn(event, LookUp())

    def for_ever(loaded: Loaded) -> Changes:
        changes = decide(loaded)
        return replace(changes, effects=(replace(changes.effects[0], epoch=2**31 - 1, position=10**10),))

    await store.take(conversation(), event, for_ever, now=NOW)
    event = message("m2")
    await store.take(conversation(), event, turn(event, record=raise_epoch), now=NOW)

    assert await statuses(store) == {"m1:0": "pending"}


async def test_an_event_that_tells_of_an_effects_end_ends_it(store: Store) -> None:
    """It ends its own way, and is not dropped by the epoch that it raises."""
    await say(store, "m1")
    await say(store, "m2")
    event = EffectFailed(key="m1:0:failed", at=NOW, answers="m1:0", effect="say", reason="no")

    await store.take(conversation(), event, ending(event, Ended("m1:0", "failed", "no \0")), now=NOW)

    first, second = await store.effects("CH1")
    assert (first.status, first.reason) == ("failed", "no \N{REPLACEMENT CHARACTER}")
    assert (second.status, second.reason) == ("dropped", "epoch")


async def test_an_event_does_not_end_an_effect_twice(store: Store) -> None:
    await say(store, "m1")
    await store.finish("m1:0", "performed", message_index=4)
    event = message("m2")

    await store.take(conversation(), event, ending(event, Ended("m1:0", "failed", "no")), now=NOW)

    [effect] = await store.effects("CH1")
    assert (effect.status, effect.reason, effect.message_index) == ("performed", "", 4)


async def test_an_effect_ends_once(store: Store) -> None:
    await say(store, "m1")

    await store.finish("m1:0", "performed", message_index=7)
    await store.finish("m1:0", "refused", reason="late", message_index=8)
    await store.note_attempt("m1:0", "late")

    [effect] = await store.effects("CH1")
    assert effect[1:] == ("performed", "", 0, 7)


async def test_an_attempt_is_counted_and_leaves_the_effect_pending(store: Store) -> None:
    await say(store, "m1")

    await store.note_attempt("m1:0", "no answer")
    await store.note_attempt("m1:0", "still none")

    [effect] = await store.effects("CH1")
    assert effect[1:] == ("pending", "still none", 2, None)


async def test_an_effect_is_pending_for_the_process_that_wrote_it(another: OpenStore) -> None:
    ours, theirs = await another(), await another()
    await say(ours, "m1")

    assert await ours.is_pending("m1:0")
    assert not await theirs.is_pending("m1:0")
    assert not await ours.is_pending("unknown")
    await ours.finish("m1:0", "performed")
    assert not await ours.is_pending("m1:0")


async def test_has_earlier_sees_deeds_that_are_pending_before(store: Store) -> None:
    """What only reads is nothing to wait for."""
    event = message("m1")
    await store.take(conversation(), event, turn(event, LookUp(), Fetch(after=0), HandOff(target="x")), now=NOW)

    assert not await store.has_earlier("CH1", 2)
    assert await store.has_earlier("CH1", 3)
    assert not await store.has_earlier("CH2", 3)
    await store.finish("m1:2", "performed")
    assert not await store.has_earlier("CH1", 3)


# Leases


async def test_a_living_process_keeps_its_effects(another: OpenStore) -> None:
    alive, other = await another(), await another()
    await say(alive, "m1")

    assert await other.take_over(10) == []
    assert await alive.take_over(10) == []
    assert await alive.keep_lease()


@pytest.mark.promise(5)
async def test_what_a_dead_process_left_is_taken_over_once_in_order(another: OpenStore) -> None:
    dead = await another(lease_s=0.05)
    for n in range(12):
        await say(dead, f"m{n}", to=f"CH{n % 2}")
    await dead.note_attempt("m0:0", "no answer")
    heirs = [await another() for _ in range(3)]

    taken = list(await until(lambda: heirs[0].take_over(5)))
    for heir in heirs[1:] * 2:
        taken += await heir.take_over(2)

    assert [leased.outgoing.id for leased in taken] == [f"m{n}:0" for n in range(12)]
    assert taken[0].attempts == 1
    assert taken[0].conversation == await heirs[0].load("CH0")
    assert await heirs[0].is_pending("m0:0")
    assert not await dead.is_pending("m0:0")


async def test_heirs_that_come_at_once_share_without_doubles(another: OpenStore) -> None:
    dead = await another()
    for n in range(8):
        event = message(f"m{n}")
        says = [Say(text="x")] * 50
        await dead.take(conversation(f"CH{n}"), event, turn(event, *says), now=NOW)
    heirs = [await another() for _ in range(6)]
    await dead.close()

    shares = await asyncio.gather(*(heir.take_over(20) for _ in range(10) for heir in heirs))

    ids = [leased.outgoing.id for share in shares for leased in share]
    assert len(ids) == len(set(ids)) == 400
    of_heirs = [[await heir.is_pending(name) for heir in heirs].count(True) for name in ids[::20]]
    assert set(of_heirs) == {1}


async def test_what_one_turn_asked_for_is_taken_over_in_its_order(another: OpenStore) -> None:
    dead, heir = await another(), await another()
    event = message("m")
    await dead.take(conversation(), event, turn(event, *[Say(text="x")] * 12), now=NOW)
    await dead.close()

    assert [leased.outgoing.id for leased in await heir.take_over(7)] == [f"m:{n}" for n in range(7)]
    assert [leased.outgoing.id for leased in await heir.take_over(7)] == [f"m:{n}" for n in range(7, 12)]


async def test_a_closed_process_gives_up_its_effects_at_once(another: OpenStore) -> None:
    leaving, heir = await another(lease_s=3600), await another()
    await say(leaving, "m1")
    await say(leaving, "m2")
    await leaving.finish("m1:0", "performed")

    await leaving.close()

    assert [leased.outgoing.id for leased in await heir.take_over(10)] == ["m2:0"]
    assert await heir.take_over(10) == []


async def test_a_lease_that_ran_out_is_told_and_taken_anew(another: OpenStore) -> None:
    late = await another(lease_s=0.05)

    async def has_run_out() -> bool:
        await asyncio.sleep(0.06)
        return not await late.keep_lease()

    assert await until(has_run_out)
    assert await until(late.keep_lease)


async def test_a_lease_that_another_saw_run_out_is_told(another: OpenStore) -> None:
    """Who takes effects over buries the dead; a dead one that comes back must hear of it."""
    late, heir = await another(lease_s=0.05), await another()
    await say(late, "m1")
    await until(lambda: heir.take_over(10))

    assert not await late.keep_lease()
    assert not await late.is_pending("m1:0")


async def test_a_process_does_not_take_over_from_itself(another: OpenStore) -> None:
    late, other = await another(lease_s=0.05), await another()
    await say(late, "m1")
    assert await until(lambda: other.take_over(1))
    await say(late, "m2")

    assert await late.take_over(10) == []


# The rest


async def test_a_version_is_kept_under_its_hash(store: Store) -> None:
    flow = bytes(range(256))

    await store.save_version("abc", flow)
    await store.save_version("abc", b"other")

    assert await store.load_version("abc") == flow
    assert await store.load_version("abd") is None


async def test_conversations_since_come_oldest_change_first(store: Store) -> None:
    """A later turn moves a conversation to the end; *since* itself is not included."""
    order = [(n * 37) % 101 for n in range(101)]
    for n in order:
        await say(store, f"m{n}", to=f"CH{n}", now=NOW + timedelta(milliseconds=n))
    await say(store, "again", to="CH60", now=NOW + A_SECOND)

    found = await store.conversations_since(NOW + timedelta(milliseconds=40))

    expected = [f"CH{n}" for n in range(41, 101) if n != 60] + ["CH60"]
    assert [one.id for one in found] == expected


async def test_conversations_since_are_those_that_are_not_over(store: Store) -> None:
    for owner in ("bot", "queued", "agent", "paused", "closed"):
        event = message(owner)
        decide = turn(event, record=lambda found, owner=owner: replace(found, owner=owner))  # type: ignore[misc]
        await store.take(conversation(f"CH {owner}"), event, decide, now=NOW)

    found = await store.conversations_since(NOW - A_SECOND)

    assert [one.id for one in found] == ["CH agent", "CH bot", "CH queued"]


async def test_what_was_committed_is_there_after_opening_again(another: OpenStore) -> None:
    first = await another()
    changes = await say(first, "m1")
    await first.close()

    second = await another()

    assert changes is not None
    assert await second.load("CH1") == changes.conversation
    assert await say(second, "m1") is None


async def test_a_store_that_is_not_open_is_unavailable(database: str) -> None:
    store = open_store(database, worker="w")
    with pytest.raises(StoreUnavailable, match="not open"):
        await say(store, "m1")

    await store.open()
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="not open"):
        await store.load("CH1")


async def test_a_cancelled_caller_harms_no_other(store: Store) -> None:
    """Each event is either taken whole or free; the rest is not touched."""
    tasks = [asyncio.create_task(say(store, f"m{n}", to=f"CH{n % 4}")) for n in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(outcome, Changes) for n, outcome in enumerate(outcomes) if n % 3)
    for n in range(40):
        await say(store, f"m{n}", to=f"CH{n % 4}")
    for n in range(4):
        await _expect_turns(store, f"CH{n}", 10)


async def _expect_turns(store: Store, name: str, count: int) -> None:
    """Claims, turns and effects are *count* each, without a gap."""
    record = await store.load(name)
    assert record is not None
    assert record.journal == count
    assert [entry.position for entry in await store.journal(name)] == list(range(count))
    assert [effect.outgoing.position for effect in await store.effects(name)] == [1000 * n for n in range(count)]


async def _found(store: Store) -> Loaded:
    """What a turn finds in CH1, which is left as it was."""
    found: list[Loaded] = []

    def look(loaded: Loaded) -> Changes:
        found.append(loaded)
        raise LookupError

    with pytest.raises(LookupError):
        await store.take(conversation(), message("look"), look, now=NOW)
    return found[-1]


def _fail(_: Loaded) -> Changes:
    raise ZeroDivisionError
