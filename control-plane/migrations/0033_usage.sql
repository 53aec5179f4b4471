-- Model servers, the money that is leased to them, and what was used by whom.

create table control.model_server (
    id uuid primary key,
    -- As whoever runs the control plane calls it; used again once its key was taken back.
    name text not null check (name ~ '^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$'),
    -- What is shown of its key.
    prefix text not null check (length(prefix) = 8),
    hash bytea not null
        constraint model_server_hash_key unique
        check (octet_length(hash) = 32),
    created_at timestamptz not null,
    -- To the minute.
    seen_at timestamptz,
    revoked_at timestamptz
);

create unique index model_server_name on control.model_server (name) where revoked_at is null;

-- What each tenant spent of its budget, and what model servers hold of it.
create table control.treasury (
    -- As tokens of model servers name it: the name of its blueprint.
    tenant text not null check (octet_length(tenant) between 1 and 128),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    -- Which platform of that name; nothing where it was nobody's. Another one begins anew.
    platform uuid,
    -- Its first day, in UTC.
    month date not null,
    vault jsonb not null,
    primary key (tenant, currency)
);

alter table control.platform
    -- When its organization claimed what was made by other means: what it used before is nobody's.
    add column claimed_at timestamptz;

-- What each answer used. Nothing is ever changed here.
create table control.usage_event (
    id uuid primary key,
    tenant text not null,
    -- Nothing of a tenant that was no organization's platform when the answer began.
    platform uuid,
    person text not null,
    agent text not null,
    model text not null,
    request text not null,
    prompt_tokens bigint not null check (prompt_tokens >= 0),
    cached_tokens bigint not null check (cached_tokens >= 0),
    completion_tokens bigint not null check (completion_tokens >= 0),
    -- In millionths of the currency's unit.
    cost bigint not null check (cost >= 0),
    currency text not null,
    holding uuid,
    outcome text not null check (outcome in ('finished', 'cancelled', 'failed')),
    started_at timestamptz not null,
    ended_at timestamptz not null,
    -- Which model server told it.
    told_by uuid not null,
    taken_in_at timestamptz not null
);

-- They come in the order of time.
create index usage_event_taken_in on control.usage_event using brin (taken_in_at);

-- Their sums, by platform, day in UTC, model and currency: written with them, in one transaction.
create table control.usage_day (
    platform uuid not null references control.platform on delete cascade,
    day date not null,
    model text not null,
    currency text not null,
    answers bigint not null,
    failed bigint not null,
    -- However large: what is told twice of a broken model server must not stop all others.
    prompt_tokens numeric not null,
    cached_tokens numeric not null,
    completion_tokens numeric not null,
    cost numeric not null,
    primary key (platform, day, model, currency)
);
