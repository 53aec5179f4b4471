-- The colours of a platform's brand, for what edges say in its place; nothing: neutral ones.
alter table certificates.platform add column looks jsonb;
