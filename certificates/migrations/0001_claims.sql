-- Who says that a domain name is theirs, and who has proven it.

create table certificates.claim (
    id uuid primary key,
    -- The A-label form, in lower case and without a last dot: one spelling for each name.
    name text not null check (name = lower(name) and length(name) between 3 and 253),
    -- The platform, and the very one: a later one of the same name is another.
    tenant text not null,
    tenant_uid uuid not null,
    -- What the TXT record has to say. Each claim has its own, and a claim that lost its name gets
    -- a new one.
    token text not null constraint claim_token_key unique,
    -- What the CNAME record has to point at, below our zone. Rows are never deleted, so none of
    -- these is ever given to anybody again.
    target text not null constraint claim_target_key unique,
    state text not null check (state in ('pending', 'verified', 'released')),
    claimed_at timestamptz not null,
    verified_at timestamptz,
    released_at timestamptz,
    looked_at timestamptz,
    -- When it is to be looked at next.
    look_at timestamptz not null,
    -- Looks in a row at which a verified name did not belong here any more.
    misses smallint not null default 0 check (misses between 0 and 3),
    -- Why it is not verified: nothing before the first look.
    why text,
    -- What was in the DNS at the last look, as people are shown it.
    found text[] not null default '{}',
    constraint claim_verified_since check ((state = 'verified') = (verified_at is not null)),
    constraint claim_released_since check ((state = 'released') = (released_at is not null))
);

-- The invariant: one verified owner for each name.
create unique index claim_verified_key on certificates.claim (name) where state = 'verified';
-- One platform claims a name once.
create unique index claim_open_key on certificates.claim (tenant_uid, name) where state <> 'released';
create index claim_due on certificates.claim (look_at) where state <> 'released';
create index claim_tenant on certificates.claim (tenant_uid);

-- Names that were somebody's until lately: only a fresh TXT record gives them to anybody.
create table certificates.quarantine (
    name text primary key,
    until timestamptz not null
);
