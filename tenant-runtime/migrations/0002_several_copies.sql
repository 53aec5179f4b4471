-- Several copies of the runtime may serve one platform. Whoever speaks an answer says so now and
-- then, by this server's clock; of one who was silent for long it is known that nobody speaks it.
ALTER TABLE tenant.message ADD COLUMN spoken_at timestamptz;
