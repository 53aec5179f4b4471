-- What is to be done outside the database, written in the transaction that decided it.
CREATE TABLE work.outbox (
    id           uuid PRIMARY KEY,
    topic        text NOT NULL CHECK (topic <> ''),
    key          text NOT NULL CHECK (key <> ''),
    payload      jsonb NOT NULL,
    not_before   timestamptz NOT NULL,
    attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Who works on it now, and until when nobody else may. Both or neither.
    lease        uuid,
    leased_until timestamptz,
    -- Set once it is given up; kept for people to look at.
    dead_at      timestamptz,
    cause        text,
    CONSTRAINT outbox_key UNIQUE (topic, key),
    CONSTRAINT outbox_lease_whole CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CONSTRAINT outbox_dead_has_cause CHECK (dead_at IS NULL OR cause IS NOT NULL),
    CONSTRAINT outbox_dead_is_free CHECK (dead_at IS NULL OR lease IS NULL)
);

CREATE INDEX outbox_due ON work.outbox (topic, not_before, id) WHERE dead_at IS NULL;

-- What was done outside, under its stable key, and what came of it.
CREATE TABLE work.effect (
    tenant      text NOT NULL,
    operation   text NOT NULL,
    step        text NOT NULL,
    begun_at    timestamptz NOT NULL,
    finished_at timestamptz,
    outcome     jsonb,
    PRIMARY KEY (tenant, operation, step),
    CONSTRAINT effect_finished_whole CHECK ((finished_at IS NULL) = (outcome IS NULL))
);
