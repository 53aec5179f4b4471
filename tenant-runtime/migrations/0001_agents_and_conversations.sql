-- What a tenant's people make and say. One database holds one tenant, so no row names it.

CREATE TABLE tenant.agent (
    id          uuid PRIMARY KEY,
    slug        text NOT NULL CONSTRAINT agent_slug_key UNIQUE,
    -- NULL: came with the template and belongs to the platform itself.
    owner_id    uuid,
    -- The version people meet; NULL while it has never been published.
    published   integer,
    created_at  timestamptz NOT NULL,
    archived_at timestamptz,
    CONSTRAINT agent_slug_shape CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$')
);

-- A version never changes once written; a conversation stays on the one it began with.
CREATE TABLE tenant.agent_version (
    agent_id     uuid NOT NULL REFERENCES tenant.agent ON DELETE CASCADE,
    number       integer NOT NULL CHECK (number > 0),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    description  text NOT NULL CHECK (length(description) <= 300),
    instructions text NOT NULL CHECK (length(instructions) BETWEEN 1 AND 8000),
    model        text,
    starters     text[] NOT NULL DEFAULT '{}',
    author_id    uuid,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (agent_id, number)
);

ALTER TABLE tenant.agent
    ADD CONSTRAINT agent_published_fkey FOREIGN KEY (id, published)
    REFERENCES tenant.agent_version (agent_id, number) DEFERRABLE INITIALLY DEFERRED;

CREATE TABLE tenant.conversation (
    id            uuid PRIMARY KEY,
    person_id     uuid NOT NULL,
    agent_id      uuid NOT NULL,
    agent_version integer NOT NULL,
    title         text NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
    -- The last message of the branch that is shown.
    head_id       uuid,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    FOREIGN KEY (agent_id, agent_version) REFERENCES tenant.agent_version (agent_id, number)
);
CREATE INDEX conversation_of_person ON tenant.conversation (person_id, updated_at DESC, id);

-- A tree: an edited question or a second answer is a sibling, nothing is overwritten.
CREATE TABLE tenant.message (
    id                uuid PRIMARY KEY,
    conversation_id   uuid NOT NULL REFERENCES tenant.conversation ON DELETE CASCADE,
    parent_id         uuid,
    role              text NOT NULL CHECK (role IN ('user', 'assistant')),
    body              text NOT NULL DEFAULT '',
    state             text NOT NULL
                      CHECK (state IN ('streaming', 'done', 'stopped', 'failed', 'interrupted')),
    note              text,
    prompt_tokens     integer,
    completion_tokens integer,
    created_at        timestamptz NOT NULL,
    finished_at       timestamptz,
    words             tsvector GENERATED ALWAYS AS (to_tsvector('simple', left(body, 100000))) STORED,
    CONSTRAINT message_in_conversation UNIQUE (conversation_id, id),
    CONSTRAINT message_parent_fkey FOREIGN KEY (conversation_id, parent_id)
        REFERENCES tenant.message (conversation_id, id) ON DELETE CASCADE
);
CREATE INDEX message_children ON tenant.message (conversation_id, parent_id, created_at);
CREATE INDEX message_words ON tenant.message USING gin (words);
-- One answer at a time in a conversation.
CREATE UNIQUE INDEX message_one_streaming ON tenant.message (conversation_id)
    WHERE state = 'streaming';

ALTER TABLE tenant.conversation
    ADD CONSTRAINT conversation_head_fkey FOREIGN KEY (id, head_id)
    REFERENCES tenant.message (conversation_id, id) DEFERRABLE INITIALLY DEFERRED;

-- Small facts about the platform itself: which seed it has had, which steps are done.
CREATE TABLE tenant.fact (
    key   text PRIMARY KEY,
    value jsonb NOT NULL
);
