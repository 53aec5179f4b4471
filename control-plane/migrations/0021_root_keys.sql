-- Control planes that run, and which root keys they open with: none seals under a key with which another one
-- could not open.
create table control.replica (
    id uuid primary key,
    opens bytea[] not null,
    seals bytea not null,
    seen_at timestamptz not null
);

-- By the root key that a secret is sealed under, which stands in it.
create index endpoint_sealed_under on control.endpoint (substr(secret, 2, 8), id);
create index endpoint_before_sealed_under on control.endpoint (substr(secret_before, 2, 8), id)
    where secret_before is not null;
create index single_sign_on_sealed_under
    on control.single_sign_on (substr(client_secret, 2, 8), organization);
