-- A changed password is told to its person like a sign-in.
alter table accounts.event
    drop constraint event_kind_check,
    add constraint event_kind_check check (
        kind in ('signed-up', 'signed-in', 'signed-in-by-link', 'signed-out', 'password-changed')
    );
