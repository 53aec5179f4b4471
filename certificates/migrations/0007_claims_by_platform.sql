-- What is claimed under the name of a platform, whichever blueprint it had.
create index claim_by_name on certificates.claim (tenant) where state <> 'released';
