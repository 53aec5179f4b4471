-- Grants of the control plane that were taken: whichever copy of the runtime one comes to, it is taken
-- once. A grant is good for a minute, and its row is of no use any more then.
CREATE TABLE tenant.spent_grant (
    id         text PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 64),
    good_until timestamptz NOT NULL
);
