-- Orders that an authority would count have a place in its queues, reserved once: from when on it is
-- their turn there.
create table certificates.place (
    order_id uuid not null references certificates.acme_order on delete cascade,
    authority text not null,
    -- For a certificate: limits of the name and of its registered domain. For an order: those of our
    -- account; used up when the authority has taken it.
    queue text not null check (queue in ('certificate', 'order')),
    at timestamptz not null,
    primary key (order_id, authority, queue)
);
