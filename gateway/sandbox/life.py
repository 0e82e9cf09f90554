"""What can happen to a conversation or channel, whoever does it: each changes the world and is announced."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.sandbox.errors import refused
from gateway.sandbox.happenings import (
    Change,
    Happening,
    conversation_changed,
    message_changed,
    participant_changed,
    state_changed,
    user_added,
)
from gateway.sandbox.webhooks import Actor, Webhooks
from gateway.sandbox.world import (
    CUSTOMER_ROLE,
    Conversation,
    Generation,
    Media,
    Message,
    Participant,
    ScopedWebhook,
    Service,
    User,
    World,
    new_sid,
)

MOST_WEBHOOKS = 5
MOST_BODY_BYTES = 32 * 1024
MOST_SMS_CHARACTERS = 1600
MOST_MESSAGE_ATTRIBUTES = 4 * 1024


class Life:
    """Changes the world by the rules of Twilio and tells the webhooks. Breaking a rule raises `TwilioError`.

    *when_written* and *when_updated* are called after each message, and after each update of a conversation.
    """

    def __init__(self, world: World, webhooks: Webhooks) -> None:
        self._world = world
        self._webhooks = webhooks
        self.when_written: list[Callable[[Conversation, Message], None]] = []
        self.when_updated: list[Callable[[Conversation, Actor], None]] = []

    def add_conversation(
        self,
        actor: Actor,
        *,
        generation: Generation,
        service_sid: str,
        friendly_name: str | None = None,
        unique_name: str | None = None,
        attributes: str = "{}",
        state: str = "active",
        created_by: str = "system",
        visibility: str = "private",
        messaging_service_sid: str | None = None,
        created: datetime | None = None,
    ) -> Conversation:
        """Make a conversation or channel."""
        self.check_unique_name(unique_name, generation, service_sid)
        at = created or self._world.now()
        conversation = Conversation(
            sid=new_sid("CH"),
            generation=generation,
            service_sid=service_sid,
            messaging_service_sid=messaging_service_sid or self._world.account.messaging_service_sid,
            friendly_name=friendly_name,
            unique_name=unique_name,
            attributes=attributes,
            state=state,
            created_by=created_by,
            visibility=visibility,
            created=at,
            updated=at,
        )
        self._world.conversations[conversation.sid] = conversation
        self._tell(conversation, actor, conversation_changed(conversation, "added", at))
        return conversation

    def check_unique_name(self, name: str | None, generation: Generation, service_sid: str) -> None:
        """Raises where another conversation of the service has the name."""
        if name is None or self._world.find(name, generation, service_sid) is None:
            return
        code, noun = (50307, "Channel") if generation == "chat" else (50353, "Conversation")
        raise refused(code, f"{noun} with provided unique name already exists", status=409)

    def update_conversation(self, conversation: Conversation, actor: Actor, **changes: Any) -> None:
        """Set fields of the record; those that are ``None`` stay as they are."""
        check_open(conversation)
        given = {name: value for name, value in changes.items() if value is not None}
        for name, value in given.items():
            setattr(conversation, name, value)
        conversation.updated = self._world.now()
        if given:
            self._tell(conversation, actor, conversation_changed(conversation, "updated", conversation.updated))
            for look in self.when_updated:
                look(conversation, actor)

    def change_state(self, conversation: Conversation, state: str, actor: Actor, reason: str) -> None:
        """Move to another state; the same state is no change."""
        check_open(conversation)
        if conversation.state == state:
            return
        came_from, conversation.state = conversation.state, state
        conversation.updated = self._world.now()
        self._tell(conversation, actor, state_changed(conversation, came_from, reason))

    def remove_conversation(self, conversation: Conversation, actor: Actor) -> None:
        """Delete it with all that is in it."""
        del self._world.conversations[conversation.sid]
        self._tell(conversation, actor, conversation_changed(conversation, "removed", self._world.now()))

    def add_message(
        self,
        conversation: Conversation,
        actor: Actor,
        *,
        author: str,
        body: str | None = None,
        media: list[Media] | None = None,
        attributes: str = "{}",
        content_sid: str | None = None,
        created: datetime | None = None,
    ) -> Message:
        """Write a message; an inactive conversation becomes active by it."""
        check_open(conversation)
        check_message(conversation, body, attributes)
        person = conversation.person(author)
        at = created or self._world.now()
        message = Message(
            sid=new_sid("IM"),
            index=conversation.next_index,
            author=author,
            body=body,
            media=media or [],
            attributes=attributes,
            participant_sid=person.sid if person else None,
            content_sid=content_sid,
            last_updated_by=None,
            created=at,
            updated=at,
        )
        conversation.next_index += 1
        conversation.messages[message.sid] = message
        self._tell_of_message(conversation, message, actor, "added")
        for listener in conversation.listeners:
            listener.put_nowait(message)
        if conversation.state == "inactive":
            self.change_state(conversation, "active", actor, "EVENT")
        for look in self.when_written:
            look(conversation, message)
        return message

    def update_message(self, conversation: Conversation, message: Message, actor: Actor, **changes: Any) -> None:
        """Edit a message; what is ``None`` stays."""
        check_open(conversation)
        check_message(conversation, changes.get("body"), changes.get("attributes") or "{}")
        for name, value in changes.items():
            if value is not None:
                setattr(message, name, value)
        message.updated = self._world.now()
        self._tell_of_message(conversation, message, actor, "updated")

    def remove_message(self, conversation: Conversation, message: Message, actor: Actor) -> None:
        """Take a message away; its index is not used again."""
        del conversation.messages[message.sid]
        self._tell_of_message(conversation, message, actor, "removed")

    def add_participant(
        self,
        conversation: Conversation,
        actor: Actor,
        *,
        identity: str | None = None,
        address: str | None = None,
        proxy_address: str | None = None,
        attributes: str = "{}",
        role_sid: str = CUSTOMER_ROLE,
    ) -> Participant:
        """Let somebody in; one with an identity is a user of the service from then on."""
        check_open(conversation)
        self._check_newcomer(conversation, identity, address, proxy_address)
        at = self._world.now()
        person = Participant(
            sid=new_sid("MB"),
            identity=identity,
            address=address,
            proxy_address=proxy_address,
            attributes=attributes,
            role_sid=role_sid,
            created=at,
            updated=at,
        )
        conversation.participants[person.sid] = person
        if identity is not None:
            service = self._world.services[conversation.service_sid]
            self.know_user(service, identity, role_sid=role_sid)
        self._tell_of_person(conversation, person, actor, "added")
        return person

    def update_participant(self, conversation: Conversation, person: Participant, actor: Actor, **changes: Any) -> None:
        """Change a participant; what is ``None`` stays."""
        check_open(conversation)
        for name, value in changes.items():
            if value is not None:
                setattr(person, name, value)
        person.updated = self._world.now()
        self._tell_of_person(conversation, person, actor, "updated")

    def remove_participant(self, conversation: Conversation, person: Participant, actor: Actor) -> None:
        """Let somebody go."""
        del conversation.participants[person.sid]
        self._tell_of_person(conversation, person, actor, "removed")

    def add_webhook(
        self,
        conversation: Conversation,
        *,
        target: str,
        url: str | None = None,
        method: str = "POST",
        filters: list[str] | None = None,
        triggers: list[str] | None = None,
        flow_sid: str | None = None,
        retry_count: int = 0,
    ) -> ScopedWebhook:
        """Put a webhook on a conversation; nobody is told."""
        check_open(conversation)
        if len(conversation.webhooks) >= MOST_WEBHOOKS:
            raise refused(50361, f"A conversation can have at most {MOST_WEBHOOKS} scoped webhooks")
        at = self._world.now()
        webhook = ScopedWebhook(
            sid=new_sid("WH"),
            target=target,
            url=url,
            method=method,
            filters=filters or [],
            triggers=triggers or [],
            flow_sid=flow_sid,
            retry_count=retry_count,
            created=at,
            updated=at,
        )
        conversation.webhooks[webhook.sid] = webhook
        return webhook

    def know_user(
        self,
        service: Service,
        identity: str,
        *,
        friendly_name: str | None = None,
        attributes: str = "{}",
        role_sid: str = CUSTOMER_ROLE,
    ) -> User:
        """The user *identity*, made where it is not known."""
        if identity not in service.users:
            at = self._world.now()
            service.users[identity] = User(
                sid=new_sid("US"),
                identity=identity,
                friendly_name=friendly_name,
                attributes=attributes,
                role_sid=role_sid,
                created=at,
                updated=at,
            )
        return service.users[identity]

    def add_user(
        self,
        service: Service,
        actor: Actor,
        generation: Generation,
        *,
        identity: str,
        friendly_name: str | None,
        attributes: str,
    ) -> User:
        """Make a user; one who is known already is refused."""
        if identity in service.users:
            raise refused(50201, "User already exists", status=409)
        user = self.know_user(service, identity, friendly_name=friendly_name, attributes=attributes)
        self._webhooks.announce(user_added(user), actor, service=service, generation=generation)
        return user

    def _check_newcomer(
        self, conversation: Conversation, identity: str | None, address: str | None, proxy_address: str | None
    ) -> None:
        if identity is not None and any(one.identity == identity for one in conversation.participants.values()):
            code = 50404 if conversation.generation == "chat" else 50433
            raise refused(code, "Participant already exists", status=409)
        if address is None:
            return
        # https://www.twilio.com/docs/api/errors/50416
        for other in self._world.conversations.values():
            pairs = {(one.address, one.proxy_address) for one in other.participants.values()}
            if other.state != "closed" and (address, proxy_address) in pairs:
                sentence = "A binding for this participant and proxy address already exists in Conversation"
                raise refused(50416, f"{sentence} {other.sid}", status=409)

    def _tell_of_message(self, conversation: Conversation, message: Message, actor: Actor, change: Change) -> None:
        names = self._world.switches.media_names
        happening = message_changed(conversation, message, change, self._world.now(), media_names=names)
        self._tell(conversation, actor, happening)

    def _tell_of_person(self, conversation: Conversation, person: Participant, actor: Actor, change: Change) -> None:
        by_itself = actor.source == "SDK" and actor.identity == person.identity
        at = self._world.now()
        self._tell(conversation, actor, participant_changed(conversation, person, change, at, by_itself=by_itself))

    def _tell(self, conversation: Conversation, actor: Actor, happening: Happening) -> None:
        self._webhooks.announce(
            happening,
            actor,
            service=self._world.services[conversation.service_sid],
            generation=conversation.generation,
            conversation=conversation,
        )


def check_open(conversation: Conversation) -> None:
    """Raises where the conversation is closed, which is for ever."""
    # https://www.twilio.com/docs/api/errors/50377
    if conversation.state == "closed":
        raise refused(50377, f"Conversation {conversation.sid} is closed and cannot be changed")


def check_message(conversation: Conversation, body: str | None, attributes: str) -> None:
    """Raises where a message is too long for Twilio, or for the medium of somebody in the conversation."""
    if body is not None and len(body.encode()) > MOST_BODY_BYTES:
        raise refused(50504, "The message body is longer than 32 KB")
    by_address = any(one.address is not None for one in conversation.participants.values())
    if body is not None and by_address and len(body) > MOST_SMS_CHARACTERS:
        raise refused(50504, f"The message body is longer than {MOST_SMS_CHARACTERS} characters")
    if len(attributes.encode()) > MOST_MESSAGE_ATTRIBUTES:
        raise refused(50303, "The attributes are longer than 4 KB")
