-- Authorities say themselves when a certificate is to be renewed (RFC 9773), and are asked about each
-- from then on.
alter table certificates.certificate add column ask_at timestamptz not null default now();
create index certificate_asking on certificates.certificate (ask_at) where replaced_at is null;
