-- Each transaction that adds a line waits for its disk and its standby, and for nobody who holds the chain too long.
BEGIN;
SET LOCAL synchronous_commit = 'on';
SET LOCAL lock_timeout = '4s';
