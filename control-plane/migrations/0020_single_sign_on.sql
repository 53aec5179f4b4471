-- What an organization asks of those who come in, and who vouches for its members.

alter table control.organization
    add column policy jsonb not null default '{"secondFactor": "optional"}'
        check (jsonb_typeof(policy) = 'object');
update control.organization set policy = jsonb_build_object('secondFactor', second_factor);
alter table control.organization drop column second_factor;

create table control.single_sign_on (
    organization uuid primary key references control.organization,
    issuer text not null check (char_length(issuer) between 1 and 2048),
    client_id text not null check (char_length(client_id) between 1 and 255),
    -- Sealed.
    client_secret bytea not null,
    -- Of the e-mail addresses that it may speak of.
    domains text[] not null check (cardinality(domains) between 1 and 20),
    changed_at timestamptz not null
);

create index single_sign_on_domains on control.single_sign_on using gin (domains);

-- Whom the provider calls by this name there. It is known as long as they are a member, and the provider
-- the organization's.
create table control.identity (
    organization uuid not null references control.single_sign_on on delete cascade,
    issuer text not null,
    subject text not null check (octet_length(subject) between 1 and 255),
    person uuid not null,
    linked_at timestamptz not null,
    primary key (organization, issuer, subject),
    -- Of two whom it calls by one address the second is somebody else.
    constraint identity_person_key unique (organization, person),
    foreign key (organization, person) references control.member on delete cascade
);

-- Who is away at a provider. The state is in the address to which they come back, the rest is derived from
-- what their browser keeps: nothing here lets anybody in.
create table control.away (
    state_hash bytea primary key check (octet_length(state_hash) = 32),
    browser_hash bytea not null check (octet_length(browser_hash) = 32),
    organization uuid not null references control.single_sign_on on delete cascade,
    issuer text not null,
    client_id text not null,
    next text not null,
    begun_at timestamptz not null
);

create index away_organization on control.away (organization, begun_at desc);
create index away_begun on control.away (begun_at);
