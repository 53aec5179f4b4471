-- What authorities allow: for each limit and what it counts by, from when on all of it is there again.
create table certificates.spent (
    authority text not null,
    -- Which limit, and for what: the account, a registered domain, a name.
    what text not null,
    full_at timestamptz not null,
    primary key (authority, what)
);

create index spent_full on certificates.spent (full_at);
