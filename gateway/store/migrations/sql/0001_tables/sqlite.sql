-- No index on changed_at: each turn would pay a fifth more for it, and only a process that was away asks by it.
CREATE TABLE conversations (
    id text PRIMARY KEY NOT NULL,
    owner text NOT NULL,
    heard_through integer NOT NULL,
    changed_at real NOT NULL,
    record text NOT NULL
);

CREATE TABLE journal (
    key text PRIMARY KEY NOT NULL,
    conversation_id text NOT NULL,
    position integer NOT NULL,
    event text NOT NULL,
    trace text,
    UNIQUE (conversation_id, position)
);

CREATE INDEX journal_waiting ON journal (conversation_id, position) WHERE trace IS NULL;

CREATE TABLE effects (
    seq integer PRIMARY KEY,
    id text NOT NULL UNIQUE,
    conversation_id text NOT NULL,
    position integer NOT NULL,
    epoch integer NOT NULL,
    kind text NOT NULL,
    effect text NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    reason text NOT NULL DEFAULT '',
    attempts integer NOT NULL DEFAULT 0,
    worker text NOT NULL,
    message_index integer
);

CREATE INDEX effects_pending ON effects (conversation_id, kind) WHERE status = 'pending';

CREATE INDEX effects_by_message ON effects (conversation_id, message_index);

CREATE TABLE workers (
    name text PRIMARY KEY NOT NULL,
    alive_until real NOT NULL
);

CREATE TABLE versions (
    hash text PRIMARY KEY NOT NULL,
    flow blob NOT NULL,
    saved_at real NOT NULL
);
