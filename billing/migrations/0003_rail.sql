-- What is to be done at a rail, written in the transaction that decided it.
create table billing.intent (
    -- Also what its key at the rail is made of, and what the rail keeps beside what it makes.
    id         uuid primary key,
    tenant     text not null check (octet_length(tenant) between 1 and 200),
    rail       text not null check (rail <> ''),
    endpoint   text not null check (endpoint <> ''),
    wish       jsonb not null,
    -- What the ledger says once the rail has moved the money.
    booking    jsonb,
    state      text not null default 'waiting'
        check (state in ('waiting', 'sent', 'unknown', 'done', 'refused')),
    attempts   integer not null default 0 check (attempts >= 0),
    next_at    timestamptz not null,
    -- Grows with each lease: who holds an older one changes nothing any more.
    fence      bigint not null default 0,
    -- When it was first sent: from then on the rail keeps its key.
    sent_at    timestamptz,
    -- Somebody sent it and did not hear what became of it.
    doubt      boolean not null default false,
    -- What the rail made of it, as it was last seen.
    object     jsonb,
    settled_at timestamptz,
    cause      text,
    -- The one that was never done, in whose place this one is; and how many there were.
    instead_of uuid unique references billing.intent,
    turn       smallint not null default 1 check (turn between 1 and 7),
    made_at    timestamptz not null,
    constraint intent_sent_since check (state not in ('sent', 'unknown') or sent_at is not null),
    constraint intent_done_as check (state <> 'done' or object is not null),
    constraint intent_refused_why check (state <> 'refused' or cause is not null)
);

create index intent_due on billing.intent (rail, endpoint, next_at, id)
    where state in ('waiting', 'sent', 'unknown');

-- What is wished is never another thing than what was decided; what is done stays done, unless the rail
-- itself undoes it.
create function billing.intent_stays() returns trigger language plpgsql as $$
begin
    if (new.id, new.tenant, new.rail, new.endpoint, new.wish, new.booking, new.made_at)
        is distinct from
        (old.id, old.tenant, old.rail, old.endpoint, old.wish, old.booking, old.made_at)
        or (old.sent_at is not null and new.sent_at is distinct from old.sent_at)
        or (old.settled_at is not null and new.settled_at is distinct from old.settled_at)
        or (old.doubt and not new.doubt)
        or new.fence < old.fence
        or (old.state = 'done' and new.state not in ('done', 'refused'))
        or (old.state = 'refused' and new.state not in ('done', 'refused'))
    then
        raise exception 'intent % stays what it is', old.id using errcode = 'check_violation';
    end if;
    return new;
end $$;

create trigger intent_stays before update on billing.intent
    for each row execute function billing.intent_stays();

-- How many requests a rail takes now, in thousandths.
create table billing.bucket (
    rail     text not null,
    endpoint text not null,
    milli    bigint not null check (milli >= 0),
    at       timestamptz not null,
    primary key (rail, endpoint)
);

-- What a rail told us, as it told it.
create table billing.webhook (
    rail        text not null,
    event       text not null check (octet_length(event) between 1 and 255),
    kind        text,
    created     timestamptz,
    account     text,
    api_version text,
    object_kind text,
    object      text,
    raw         bytea not null,
    received_at timestamptz not null,
    -- Why nobody can act on it.
    fault       text,
    primary key (rail, event)
);

-- Objects of which something was told, until they were looked at.
create table billing.told (
    rail      text not null,
    account   text not null,
    kind      text not null,
    object    text not null,
    -- Grows with each event: what is told while somebody looks is looked at again.
    asked     bigint not null check (asked > 0),
    attempts  integer not null default 0 check (attempts >= 0),
    next_at   timestamptz not null,
    fence     bigint not null default 0,
    parked_at timestamptz,
    cause     text,
    primary key (rail, account, kind, object),
    constraint told_parked_why check (parked_at is null or cause is not null)
);

create index told_due on billing.told (rail, next_at) where parked_at is null;

-- What moved on our balance at a rail, as the rail tells it.
create table billing.movement (
    rail     text not null,
    id       text not null check (octet_length(id) between 1 and 255),
    -- What it is booked as in the ledger.
    about    text not null check (octet_length(about) between 1 and 200),
    payout   text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    -- Millionths, before the rail's fee, and the fee.
    gross    bigint not null,
    fee      bigint not null,
    primary key (rail, id)
);

create index movement_about on billing.movement (rail, about);
create index movement_payout on billing.movement (rail, payout, about);

-- What came of holding a payout against the ledger, each time.
create table billing.reconciliation (
    number    bigint generated always as identity primary key,
    rail      text not null,
    payout    text not null,
    at        timestamptz not null,
    agreed    bigint not null,
    missing   bigint not null,
    extra     bigint not null,
    differing bigint not null,
    report    jsonb not null
);

create index reconciliation_payout on billing.reconciliation (rail, payout, number);

-- The rail of one machine: what it was asked for and what it made of it. Nobody pays anything there.
create table billing.test_money (
    number   bigint generated always as identity primary key,
    -- Each key once; what the rail made by itself, such as a payout, has none.
    key      text unique,
    id       text not null unique,
    intent   uuid,
    -- What it is a part of.
    part_of  text references billing.test_money (id),
    object   jsonb not null,
    -- How much it is, and what of it is on our balance once it has moved: minor units.
    currency text not null,
    amount   bigint not null,
    gross    bigint not null,
    has_moved boolean not null,
    -- In which payout it left.
    payout   text
);

create index test_money_intent on billing.test_money (intent);
create index test_money_parts on billing.test_money (part_of);
create index test_money_payout on billing.test_money (payout, number) where has_moved and gross <> 0;
