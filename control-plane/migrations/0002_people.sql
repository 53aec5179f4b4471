-- The people of organizations. Who they are, and where they are signed in, is in the schema `accounts`
-- of the same database; what they may do is here.

create table control.member (
    organization uuid not null references control.organization,
    person uuid not null references accounts.person on delete cascade,
    role text not null check (role in ('owner', 'admin', 'developer', 'billing', 'viewer')),
    added_at timestamptz not null,
    primary key (organization, person)
);

create index member_person on control.member (person);

-- Whoever holds such a link can join, once.
create table control.invitation (
    id uuid primary key,
    organization uuid not null references control.organization,
    email text not null check (email = lower(email)),
    role text not null check (role in ('owner', 'admin', 'developer', 'billing', 'viewer')),
    token_hash bytea not null
        constraint invitation_token_hash_key unique
        check (octet_length(token_hash) = 32),
    -- Who made it: a person, a key, or whoever runs the control plane.
    made_by text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null check (expires_at > created_at),
    accepted_at timestamptz,
    revoked_at timestamptz
);

create index invitation_organization on control.invitation (organization, id);
-- A new one for the same address takes the place of the former one.
create unique index invitation_open on control.invitation (organization, email)
    where accepted_at is null and revoked_at is null;
