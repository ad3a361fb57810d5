-- When a question was asked, as far as a platform's clock can be believed: what it says counts within the 30 days
-- before the message was accepted, else the acceptance does. Written as a difference in hours, which does not
-- depend on a time zone as `- interval '720 hours'` would: so it is immutable and is inlined.
CREATE FUNCTION parley_asked_at_v1(sent_at timestamptz, accepted_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN accepted_at - sent_at BETWEEN interval '0' AND interval '720 hours' THEN sent_at ELSE accepted_at END
$$;
