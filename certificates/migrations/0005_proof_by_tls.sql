-- An authority that proves a name by TLS asks for the name, and knows no token.
create index challenge_name on certificates.challenge (name, until desc);
