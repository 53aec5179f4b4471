-- Whether an edge wakes platforms that sleep: beside one that does not, nobody sleeps. Before this,
-- only those that do were known.
alter table certificates.edge add column wakes boolean not null default true;

-- A time that is none would be read by nobody.
alter table certificates.used add constraint used_at_a_time check (isfinite(at));
alter table certificates.edge add constraint heard_at_a_time check (isfinite(heard_at));
