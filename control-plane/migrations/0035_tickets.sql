-- What organizations ask whoever runs the fleet, and what they are answered.

create table control.ticket (
    id uuid primary key,
    organization uuid not null references control.organization,
    -- What it is about; nothing once that is gone.
    platform uuid references control.platform on delete set null,
    subject text not null
        constraint ticket_subject_length check (char_length(subject) between 1 and 200),
    urgency text not null
        constraint ticket_urgency check (urgency in ('question', 'problem', 'outage')),
    -- open: Support is to answer; waiting: the organization is.
    state text not null
        constraint ticket_state check (state in ('open', 'waiting', 'closed')),
    -- Who: a person or a key.
    by text not null,
    created_at timestamptz not null,
    -- Of the last message, or when it was closed.
    changed_at timestamptz not null,
    messages int not null
);

create index ticket_organization on control.ticket (organization, id desc);
create index ticket_made on control.ticket (organization, created_at);
create index ticket_unsettled on control.ticket (organization) where state <> 'closed';

create table control.ticket_message (
    ticket uuid not null references control.ticket on delete cascade,
    number int not null check (number > 0),
    -- A person, a key, or support.
    by text not null,
    at timestamptz not null,
    text text not null
        constraint ticket_message_length check (char_length(text) between 1 and 10000),
    primary key (ticket, number)
);
