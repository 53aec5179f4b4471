-- Platforms that sleep while nobody uses them, and when each was used.

alter table certificates.platform
    -- The namespace of its pods, for whoever wakes it; nothing: it never sleeps.
    add column sleeps_in text,
    -- So many copies it is woken to.
    add column wakes_to integer check (wakes_to > 0),
    -- It sleeps, or is about to.
    add column asleep boolean not null default false,
    add constraint sleeps_whole check (
        (sleeps_in is null) = (wakes_to is null) and (sleeps_in is not null or not asleep)
    );

-- When a platform that may sleep was used last, as edges say; nothing while it sleeps.
create table certificates.used (
    platform uuid primary key references certificates.platform,
    at timestamptz not null
);

-- Edges that say so, and when each last said anything.
create table certificates.edge (
    id uuid primary key,
    heard_at timestamptz not null
);
