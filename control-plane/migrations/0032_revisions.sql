-- What blueprints said, each time that they were changed by us.

create table control.revision (
    platform uuid not null references control.platform on delete cascade,
    number bigint not null check (number > 0),
    -- As it began; operations are kept for less long.
    operation uuid not null,
    by text not null,
    at timestamptz not null,
    summary text not null,
    changes text[] not null,
    spec jsonb not null,
    primary key (platform, number)
);
