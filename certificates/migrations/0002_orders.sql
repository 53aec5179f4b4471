-- How certificates come: accounts at authorities, orders under way, answers to challenges, and what
-- came of them.

create table certificates.account (
    -- The authority's name in the settings, and where it is.
    authority text primary key,
    directory text not null,
    -- PKCS #8, sealed. It is written before the authority hears of it, so that no answer that was
    -- lost leaves an account without a key.
    key bytea not null,
    -- What the authority calls the account, once it has said so.
    url text,
    made_at timestamptz not null
);

create table certificates.certificate (
    id uuid primary key,
    name text not null,
    authority text not null,
    -- PEM, the certificate itself first.
    chain text not null,
    -- PKCS #8, sealed.
    key bytea not null,
    -- By which its authority knows it: when it is asked when to renew, and what a new one replaces.
    identifier text not null,
    not_before timestamptz not null,
    not_after timestamptz not null,
    issued_at timestamptz not null,
    renew_at timestamptz not null,
    replaced_at timestamptz
);

create unique index certificate_current_key on certificates.certificate (name)
    where replaced_at is null;
create index certificate_renewal on certificates.certificate (renew_at) where replaced_at is null;

create table certificates.acme_order (
    -- The certificate that comes of it has the same.
    id uuid primary key,
    name text not null,
    -- What it renews, by the authority's own name for it.
    replaces text,
    key bytea not null,
    csr bytea not null,
    -- Both once an authority has taken the order. What is there is asked, never remembered.
    authority text,
    url text,
    state text not null check (state in ('open', 'issued', 'dropped')),
    -- Refusals in a row.
    refusals smallint not null default 0,
    -- Since when it could not be had from its authority for want of an answer.
    silent_since timestamptz,
    -- What stands against it, in words.
    failure text,
    next_at timestamptz not null,
    begun_at timestamptz not null,
    ended_at timestamptz,
    constraint acme_order_ended check ((state = 'open') = (ended_at is null)),
    constraint acme_order_url check (url is null or authority is not null)
);

create unique index acme_order_open_key on certificates.acme_order (name) where state = 'open';
create index acme_order_due on certificates.acme_order (next_at) where state = 'open';

-- What every edge answers at /.well-known/acme-challenge/TOKEN.
create table certificates.challenge (
    token text primary key,
    name text not null,
    answer text not null,
    until timestamptz not null
);
