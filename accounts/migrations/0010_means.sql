-- How a session began, and where alone it is good.

alter table accounts.session
    add column means text not null default 'password'
        check (means in ('password', 'link', 'passkey', 'provider')),
    -- Whoever trusts the provider that vouched for the person: good there, and nowhere else.
    add column within uuid,
    add constraint session_within_is_of_providers check ((within is not null) = (means = 'provider'));

alter table accounts.session alter column means drop default;

create index session_within on accounts.session (within, person_id) where within is not null;

alter table accounts.event
    drop constraint event_kind_check,
    add constraint event_kind_check check (
        kind in (
            'signed-up', 'signed-in', 'signed-in-by-link', 'signed-in-by-recovery-code',
            'signed-in-by-passkey', 'signed-in-by-provider', 'signed-out', 'password-changed',
            'second-factor-set-up', 'second-factor-turned-off', 'recovery-codes-made',
            'passkey-added', 'passkey-removed'
        )
    );
