-- When a question was asked, as far as a platform's clock can be believed: what it says counts within the
-- day before the message was accepted, else the acceptance does.
CREATE FUNCTION parley_asked_at_v1(sent_at timestamptz, accepted_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN sent_at BETWEEN accepted_at - interval '24 hours' AND accepted_at THEN sent_at ELSE accepted_at END
$$;
