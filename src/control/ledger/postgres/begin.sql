-- Each transaction that adds a line waits for its disk and its standby, and for nobody who holds the chain
-- too long; and one whose program stands still gives the chain free.
BEGIN;
SET LOCAL synchronous_commit = 'on';
SET LOCAL lock_timeout = '8s';
SET LOCAL idle_in_transaction_session_timeout = '3s';
