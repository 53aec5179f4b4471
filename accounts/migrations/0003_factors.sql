-- What somebody proves beside the password: codes of an app, and codes on paper for when it is lost.

create table accounts.totp (
    person_id uuid primary key references accounts.person on delete cascade,
    -- Sealed under the root key, for this person alone.
    secret bytea not null,
    -- Only the session that began to set it up sees the secret, and confirms it.
    begun_from uuid not null,
    begun_at timestamptz not null,
    -- Nothing until a first code has shown that the app has it: until then it is asked for nowhere.
    confirmed_at timestamptz,
    -- Of the last code that was taken. None is taken twice, and none before it.
    last_step bigint not null
);

create table accounts.recovery_code (
    person_id uuid not null references accounts.person on delete cascade,
    hash bytea not null check (octet_length(hash) = 32),
    used_at timestamptz,
    primary key (person_id, hash)
);

-- Whose password was right, and who still owes the second factor. No session: nothing is reached by it.
create table accounts.half_session (
    token_hash bytea primary key check (octet_length(token_hash) = 32),
    person_id uuid not null references accounts.person on delete cascade,
    -- Of the password that was right: another one ends it.
    password_changed_at timestamptz not null,
    -- What had failed on the password, for the event that follows.
    failures integer not null,
    expires_at timestamptz not null
);

create index half_session_person on accounts.half_session (person_id, expires_at desc);
create index half_session_expires on accounts.half_session (expires_at);

alter table accounts.attempt
    drop constraint attempt_kind_check,
    add constraint attempt_kind_check check (kind in ('account', 'address', 'sign-up', 'code'));

alter table accounts.event
    drop constraint event_kind_check,
    add constraint event_kind_check check (
        kind in (
            'signed-up', 'signed-in', 'signed-in-by-link', 'signed-in-by-recovery-code', 'signed-out',
            'password-changed', 'second-factor-set-up', 'second-factor-turned-off',
            'recovery-codes-made'
        )
    );
