-- Makes the partition of `messages` for the month of `day`, if it is not there. Rows that the default
-- partition has taken for that month meanwhile are moved into it. Attaching locks `conversations` too
-- (the new partition refers to it), so that lock comes first, as it does for whoever writes messages.

CREATE FUNCTION parley_ensure_month_v1(day date) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  first timestamptz := date_trunc('month', day::timestamp) AT TIME ZONE 'UTC';
  past timestamptz := (date_trunc('month', day::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
  name text := 'messages_' || to_char(day, 'YYYY_MM');
BEGIN
  IF to_regclass(name) IS NOT NULL THEN
    RETURN false;
  END IF;
  LOCK TABLE conversations IN SHARE ROW EXCLUSIVE MODE;
  LOCK TABLE messages_default IN ACCESS EXCLUSIVE MODE;
  IF to_regclass(name) IS NOT NULL THEN
    RETURN false;  -- another instance made it while we waited
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE messages INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
  EXECUTE format('WITH moved AS (DELETE FROM messages_default WHERE "timestamp" >= %L AND "timestamp" < %L RETURNING *) '
                 'INSERT INTO %I SELECT * FROM moved', first, past, name);
  EXECUTE format('ALTER TABLE messages ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, past);
  RETURN true;
END $$;
