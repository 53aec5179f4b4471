-- The people of one tenant: who they are, how they prove it, where they are signed in.

create table accounts.person (
    id uuid primary key,
    -- Stored in lower case, so that the plain unique constraint ignores case.
    email text not null
        constraint person_email_key unique
        constraint person_email_is_lower check (email = lower(email)),
    display_name text not null,
    role text not null
        check (role in ('owner', 'admin', 'moderator', 'creator', 'user', 'parent', 'child')),
    status text not null check (status in ('active', 'pending', 'suspended')),
    created_at timestamptz not null
);

-- The last owner is looked for at each change of a role; there are never many owners.
create index person_owner on accounts.person (id) where role = 'owner';

-- Apart from `person`, so that no list of people ever carries a hash.
create table accounts.password (
    person_id uuid primary key references accounts.person on delete cascade,
    hash text not null,
    changed_at timestamptz not null
);

create table accounts.session (
    id uuid primary key,
    token_hash bytea not null
        constraint session_token_hash_key unique
        check (octet_length(token_hash) = 32),
    person_id uuid not null references accounts.person on delete cascade,
    device text not null,
    ip text not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null
);

create index session_person on accounts.session (person_id, last_seen_at desc);

create table accounts.link (
    id uuid primary key,
    token_hash bytea not null
        constraint link_token_hash_key unique
        check (octet_length(token_hash) = 32),
    purpose text not null
        check (purpose in ('admin-welcome', 'verify-email', 'reset-password', 'invite')),
    person_id uuid references accounts.person on delete cascade,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    -- A new link takes the place of the former one, also of the one for the owner to come.
    constraint link_subject_key unique nulls not distinct (purpose, person_id),
    constraint link_has_subject check (person_id is not null or purpose = 'admin-welcome')
);

-- Failures are counted in a fixed number of buckets (a hash of what was tried), so that no flood
-- of invented addresses makes the table grow, and so that it holds nobody's address.
create table accounts.attempt (
    kind text not null check (kind in ('account', 'address', 'sign-up')),
    bucket integer not null,
    failures integer not null,
    last_at timestamptz not null,
    blocked_until timestamptz not null,
    primary key (kind, bucket)
);

-- One row: what the buckets above are chosen with.
create table accounts.secret (
    one boolean primary key default true check (one),
    value bytea not null
);

create table accounts.event (
    id uuid primary key,
    person_id uuid not null references accounts.person on delete cascade,
    kind text not null
        check (kind in ('signed-up', 'signed-in', 'signed-in-by-link', 'signed-out')),
    -- What had failed on this account since the last success.
    failures integer not null,
    device text not null,
    ip text not null,
    at timestamptz not null
);

create index event_person on accounts.event (person_id, id desc);
create index event_at on accounts.event (at);
