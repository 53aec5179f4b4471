-- What people had done to platforms, and how far each is.

create table control.operation (
    id uuid primary key,
    platform uuid not null references control.platform on delete cascade,
    organization uuid not null references control.organization,
    kind text not null check (kind in (
        'create', 'clone', 'change', 'suspend', 'resume', 'delete', 'undelete', 'claim', 'release', 'retry'
    )),
    state text not null default 'running'
        check (state in ('running', 'succeeded', 'failed', 'superseded')),
    -- Who: a person or a key.
    by text not null,
    -- What the blueprint was to say: by that it is known whether what was cut off was done.
    wanted jsonb,
    -- What that changes, in words.
    summary text not null default '',
    changes text[] not null default '{}',
    -- The generation of the blueprint from which on it says so; nothing until the cluster took it.
    generation bigint,
    phase text,
    progress smallint not null default 0 check (progress between 0 and 100),
    error text,
    begun_at timestamptz not null,
    ended_at timestamptz,
    constraint operation_ended check ((state = 'running') = (ended_at is null))
);

create index operation_platform on control.operation (platform, id desc);
create index operation_running on control.operation (id) where state = 'running';
