-- What edges have to know: the platforms, and under which names each is met.

create table certificates.platform (
    -- The uid of its blueprint, as in claims.
    uid uuid primary key,
    name text not null,
    -- Where it answers inside, as HOST:PORT.
    backend text not null,
    -- Its name below the zone of the service.
    own_host text not null,
    -- Where visitors of its other names are sent; nothing: they stay where they came.
    primary_host text,
    state text not null check (state in ('serving', 'suspended', 'failed', 'gone')),
    -- What pages carry that are shown in its place.
    display_name text not null,
    support_email text,
    changed xid8 not null default pg_current_xact_id()
);

-- A platform made anew under an old name is another; the old one is gone then.
create unique index platform_name_key on certificates.platform (name) where state <> 'gone';
create unique index platform_own_host_key on certificates.platform (own_host) where state <> 'gone';

-- Who follows reads what was written by transactions that were not over when it last looked. A time
-- or a sequence would not do: who commits later may have the earlier one.
alter table certificates.claim add column changed xid8 not null default pg_current_xact_id();
alter table certificates.certificate add column changed xid8 not null default pg_current_xact_id();
create index platform_changed on certificates.platform (changed);
create index claim_changed on certificates.claim (changed);
create index certificate_changed on certificates.certificate (changed);

create function certificates.tell_edges() returns trigger language plpgsql as $$
begin
    new.changed := pg_current_xact_id();
    perform pg_notify('served', '');
    return new;
end
$$;

create trigger tell_edges before insert or update on certificates.platform
    for each row execute function certificates.tell_edges();
create trigger tell_edges before update on certificates.claim
    for each row when (old.state <> new.state or old.tenant_uid <> new.tenant_uid)
    execute function certificates.tell_edges();
create trigger tell_edges_of_new before insert on certificates.certificate
    for each row execute function certificates.tell_edges();
create trigger tell_edges before update on certificates.certificate
    for each row when (old.replaced_at is distinct from new.replaced_at)
    execute function certificates.tell_edges();

-- The names under which somebody is met, and the certificate of each: its own, or that of its zone.
create view certificates.host as
    select names.name, names.platform, coalesce(own.id, zone.id) as certificate
    from (select own_host as name, uid as platform
          from certificates.platform where state <> 'gone'
          union all
          select claim.name, platform.uid
          from certificates.claim
          join certificates.platform on platform.uid = claim.tenant_uid and platform.state <> 'gone'
          where claim.state = 'verified') as names
    left join certificates.certificate as own
           on own.name = names.name and own.replaced_at is null
    left join certificates.certificate as zone
           on zone.name = '*.' || substr(names.name, strpos(names.name, '.') + 1)
              and zone.replaced_at is null;
