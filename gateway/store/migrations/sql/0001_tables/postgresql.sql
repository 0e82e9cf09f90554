-- No index on changed_at: each turn would pay a fifth more for it, and only a process that was away asks by it.
-- A conversation whose first event is not committed yet is an empty row: version 0, no record, no owner.
CREATE TABLE conversations (
    id text PRIMARY KEY,
    version integer NOT NULL DEFAULT 0,
    owner text,
    heard_through integer,
    changed_at timestamptz,
    record text
);

CREATE TABLE journal (
    key text PRIMARY KEY,
    conversation_id text NOT NULL,
    position integer NOT NULL,
    event text NOT NULL,
    trace text,
    UNIQUE (conversation_id, position)
);

CREATE INDEX journal_waiting ON journal (conversation_id, position) WHERE trace IS NULL;

CREATE TABLE effects (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    conversation_id text NOT NULL,
    position bigint NOT NULL,
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
    name text PRIMARY KEY,
    alive_until timestamptz NOT NULL
);

CREATE TABLE versions (
    hash text PRIMARY KEY,
    flow bytea NOT NULL,
    saved_at timestamptz NOT NULL
);
