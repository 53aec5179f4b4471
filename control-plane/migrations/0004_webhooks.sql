-- Addresses that are told what is done, and what they were told.

create table control.endpoint (
    id uuid primary key,
    organization uuid not null references control.organization,
    url text not null
        constraint endpoint_url_length check (char_length(url) between 1 and 2048),
    -- Kinds of what it is told; none: all.
    kinds text[] not null,
    -- Sealed. For a day after a new one was made the one before it is good as well.
    secret bytea not null,
    secret_before bytea,
    before_until timestamptz,
    made_by text not null,
    created_at timestamptz not null,
    -- It said that it is there no more (410).
    gone_at timestamptz,
    -- It failed so often in a row, and is left alone until then.
    failures int not null default 0,
    waits_until timestamptz
);

create index endpoint_organization on control.endpoint (organization, id);

create table control.delivery (
    id uuid primary key,
    endpoint uuid not null references control.endpoint on delete cascade,
    kind text not null,
    -- As it is sent and signed, to the byte.
    payload text not null,
    created_at timestamptz not null,
    state text not null
        constraint delivery_state check (state in ('waiting', 'delivered', 'failed')),
    attempts int not null default 0,
    -- Of the last try: what was answered, or why nothing was.
    status int,
    why text,
    tried_at timestamptz
);

create index delivery_endpoint on control.delivery (endpoint, id);
create index delivery_waiting on control.delivery (endpoint) where state = 'waiting';
create index delivery_created on control.delivery (created_at);

-- The phase that was told last of a platform.
alter table control.platform add column told_phase text;
