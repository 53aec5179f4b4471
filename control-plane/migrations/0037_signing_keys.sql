-- Keys that grants to platforms are signed with. Platforms know the public halves by the operator's settings, so
-- a key is there before it signs: the one signs that does so since last.
create table control.signing_key (
    -- Its thumbprint (RFC 7638).
    id text primary key check (octet_length(id) = 43),
    public bytea not null check (octet_length(public) = 32),
    -- Sealed.
    secret bytea not null,
    made_at timestamptz not null,
    signs_since timestamptz unique
);
