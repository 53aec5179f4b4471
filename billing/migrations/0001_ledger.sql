-- What happened to money. Journals and their entries are only ever added; what was wrong is made good by
-- another one.
create table billing.journal (
    number    bigint generated always as identity primary key,
    -- What its event is called, for ever.
    tenant    text not null check (octet_length(tenant) between 1 and 200),
    source    text not null check (octet_length(source) between 1 and 200),
    event     text not null check (octet_length(event) between 1 and 200),
    what      text not null check (octet_length(what) between 1 and 200),
    at        timestamptz not null,
    -- SHA-256 of what it says but its key.
    content   bytea not null check (octet_length(content) = 32),
    booked_at timestamptz not null,
    -- Entries are of the same transaction.
    xid       xid8 not null default pg_current_xact_id(),
    constraint journal_event unique (tenant, source, event)
);

create index journal_at on billing.journal (at);

create table billing.entry (
    journal  bigint not null references billing.journal,
    line     smallint not null check (line >= 0),
    account  text not null check (account ~ '^[a-z0-9:-]+/[a-z]+$'),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    -- Millionths of the major unit: above zero on the left side, below on the right.
    micros   bigint not null check (micros <> 0),
    primary key (journal, line)
);

create index entry_account on billing.entry (account, currency, journal);

-- Events that were told again and said something else: they change nothing, and are looked at by people.
create table billing.conflict (
    tenant  text not null,
    source  text not null,
    event   text not null,
    content bytea not null check (octet_length(content) = 32),
    told    jsonb not null,
    told_at timestamptz not null,
    primary key (tenant, source, event, content),
    foreign key (tenant, source, event) references billing.journal (tenant, source, event)
);

-- A chain over all journals, batch by batch.
create table billing.batch (
    number    bigint primary key check (number > 0),
    before    bytea not null check (octet_length(before) = 32),
    hash      bytea not null check (octet_length(hash) = 32),
    journals  integer not null check (journals > 0),
    sealed_at timestamptz not null
);

create table billing.sealed (
    journal bigint primary key references billing.journal,
    batch   bigint not null references billing.batch,
    place   integer not null check (place >= 0),
    constraint sealed_place unique (batch, place)
);

-- Journals that are in no batch yet.
create table billing.unsealed (
    journal bigint primary key references billing.journal
);

-- What the sealed journals come to. Reckoned from them, and held against them.
create table billing.balance (
    account  text not null,
    currency text not null,
    micros   numeric(38, 0) not null,
    primary key (account, currency)
);

create function billing.is_balanced() returns trigger language plpgsql as $$
begin
    if (select count(*) from billing.entry where journal = new.number) < 2 then
        raise exception 'journal % moves nothing', new.number using errcode = 'check_violation';
    end if;
    if exists (
        select from billing.entry where journal = new.number
        group by currency having sum(micros) <> 0
    ) then
        raise exception 'journal % is not balanced', new.number using errcode = 'check_violation';
    end if;
    return null;
end $$;

create constraint trigger journal_balanced after insert on billing.journal
    deferrable initially deferred for each row execute function billing.is_balanced();

-- Entries of a journal come in one statement, of its own transaction, and balance when that is done: also
-- where somebody asks for deferred rules before the end.
create function billing.is_whole() returns trigger language plpgsql as $$
begin
    if exists (
        select from billing.entry where journal in (select journal from added)
        group by journal, currency having sum(micros) <> 0
    ) then
        raise exception 'what is added is not balanced' using errcode = 'check_violation';
    end if;
    if exists (
        select from added join billing.journal on number = journal
        where xid <> pg_current_xact_id()
    ) then
        raise exception 'nothing is added to a journal later' using errcode = 'check_violation';
    end if;
    return null;
end $$;

create trigger entry_whole after insert on billing.entry
    referencing new table as added for each statement execute function billing.is_whole();

-- Nobody says of which transaction a journal is: an old number could come again.
create function billing.is_of_now() returns trigger language plpgsql as $$
begin
    new.xid := pg_current_xact_id();
    return new;
end $$;

create trigger journal_of_now before insert on billing.journal
    for each row execute function billing.is_of_now();

create function billing.follows() returns trigger language plpgsql as $$
begin
    if new.number <> 1 + coalesce((select max(number) from billing.batch), 0) then
        raise exception 'batch % does not follow the last one', new.number
            using errcode = 'check_violation';
    end if;
    return new;
end $$;

create trigger batch_follows before insert on billing.batch
    for each row execute function billing.follows();

-- What waits to be sealed waits until it is.
create function billing.is_sealed() returns trigger language plpgsql as $$
begin
    if not exists (select from billing.sealed where journal = old.journal) then
        raise exception 'journal % is not sealed yet', old.journal
            using errcode = 'insufficient_privilege';
    end if;
    return old;
end $$;

create trigger unsealed_waits before delete on billing.unsealed
    for each row execute function billing.is_sealed();

create function billing.stays() returns trigger language plpgsql as $$
begin
    raise exception 'what is in billing.% stays as it is', tg_table_name
        using errcode = 'insufficient_privilege';
end $$;

create trigger journal_stays before update or delete or truncate on billing.journal
    for each statement execute function billing.stays();
create trigger entry_stays before update or delete or truncate on billing.entry
    for each statement execute function billing.stays();
create trigger conflict_stays before update or delete or truncate on billing.conflict
    for each statement execute function billing.stays();
create trigger unsealed_stays before update or truncate on billing.unsealed
    for each statement execute function billing.stays();
create trigger batch_stays before update or delete or truncate on billing.batch
    for each statement execute function billing.stays();
create trigger sealed_stays before update or delete or truncate on billing.sealed
    for each statement execute function billing.stays();
