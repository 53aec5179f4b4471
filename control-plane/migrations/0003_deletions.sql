-- Platforms that were deleted, and what they were: so that they can be brought back, and so that nobody
-- deletes many of them in a moment.

create table control.deletion (
    id uuid primary key,
    platform uuid not null references control.platform,
    organization uuid not null references control.organization,
    -- Who: a person or a key.
    by text not null,
    -- As its blueprint said at that moment.
    spec jsonb not null,
    at timestamptz not null,
    undone_at timestamptz
);

-- Until it is brought back it is deleted once, however often that is asked for.
create unique index deletion_open on control.deletion (platform) where undone_at is null;
create index deletion_organization on control.deletion (organization, at);
create index deletion_at on control.deletion (at);
