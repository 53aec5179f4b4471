-- Keys of people's devices, each for this site alone.

create table accounts.passkey (
    id uuid primary key,
    person_id uuid not null references accounts.person on delete cascade,
    -- As the device calls it.
    credential_id bytea not null
        constraint passkey_credential_id_key unique
        check (octet_length(credential_id) between 1 and 1023),
    -- SubjectPublicKeyInfo, and how it signs, as COSE numbers it.
    public_key bytea not null,
    algorithm integer not null check (algorithm in (-7, -8, -257)),
    -- As the device counts, where it does: one that goes back was copied.
    signatures bigint not null,
    -- As its person calls it.
    name text not null check (length(name) between 1 and 80),
    created_at timestamptz not null,
    used_at timestamptz
);

create index passkey_person on accounts.passkey (person_id, id);

-- Challenges that were answered, until nobody could answer them any more: none is answered twice.
create table accounts.answered_challenge (
    hash bytea primary key check (octet_length(hash) = 32),
    expires_at timestamptz not null
);

create index answered_challenge_expires on accounts.answered_challenge (expires_at);

alter table accounts.event
    drop constraint event_kind_check,
    add constraint event_kind_check check (
        kind in (
            'signed-up', 'signed-in', 'signed-in-by-link', 'signed-in-by-recovery-code',
            'signed-in-by-passkey', 'signed-out', 'password-changed', 'second-factor-set-up',
            'second-factor-turned-off', 'recovery-codes-made', 'passkey-added', 'passkey-removed'
        )
    );
