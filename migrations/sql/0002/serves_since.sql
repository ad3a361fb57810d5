-- The oldest revision whose code may still run on this database. A migration that older code cannot live
-- with replaces this function.
CREATE FUNCTION parley_serves_since() RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT '0001'
$$;
