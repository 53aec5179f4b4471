-- Who owns platforms, who acts for them, and what was done.

create table control.organization (
    id uuid primary key,
    -- As people and blueprints name it.
    slug text not null
        constraint organization_slug_key unique
        check (slug ~ '^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$'),
    name text not null check (length(name) between 1 and 80),
    -- What it pays for: the entitlements of its platforms.
    plan text not null check (plan in ('starter', 'business', 'enterprise')),
    created_at timestamptz not null
);

create table control.api_key (
    id uuid primary key,
    organization uuid not null references control.organization,
    name text not null check (length(name) between 1 and 80),
    -- What is shown of it.
    prefix text not null check (length(prefix) = 8),
    hash bytea not null
        constraint api_key_hash_key unique
        check (octet_length(hash) = 32),
    scopes text[] not null,
    -- Who made it: another key, or whoever runs the control plane.
    made_by text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > created_at),
    -- To the minute.
    used_at timestamptz,
    revoked_at timestamptz
);

create index api_key_organization on control.api_key (organization, id);

-- Whose a platform is. Its blueprint is in the cluster, and nowhere else.
create table control.platform (
    id uuid primary key,
    -- The name of the blueprint; names are used again once a platform is gone for good.
    name text not null check (length(name) between 1 and 40),
    organization uuid not null references control.organization,
    created_at timestamptz not null,
    -- Its blueprint is gone for good.
    gone_at timestamptz
);

create unique index platform_name on control.platform (name) where gone_at is null;
create index platform_organization on control.platform (organization, name);

-- What was answered to requests that may be sent twice.
create table control.answer (
    -- Who asked.
    caller uuid not null,
    key text not null check (length(key) between 1 and 255),
    -- SHA-256 of method, path and body.
    request bytea not null check (octet_length(request) = 32),
    -- Nothing until it was answered.
    status integer,
    body jsonb,
    at timestamptz not null,
    primary key (caller, key)
);

create index answer_at on control.answer (at);

-- What was done, by whom: each line holds the one before it, so that none can be changed unseen.
create table control.audit (
    organization uuid not null references control.organization,
    number bigint not null check (number > 0),
    at timestamptz not null,
    actor text not null,
    action text not null,
    target text not null,
    detail jsonb not null,
    hash bytea not null check (octet_length(hash) = 32),
    primary key (organization, number)
);
