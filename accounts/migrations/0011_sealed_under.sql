-- By the root key that a secret is sealed under, which stands in it: so that what a former one sealed is
-- found, and that nothing is left of it.
create index totp_sealed_under on accounts.totp (substr(secret, 2, 8), person_id);
