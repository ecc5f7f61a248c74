-- Each transaction that adds a line waits for its disk and its standby, and for nobody who holds the chain
-- too long; one whose program stands still gives the chain free. A commit that no standby has says so in a warning,
-- which no setting of a role or a pooler may leave out.
BEGIN;
SET LOCAL synchronous_commit = 'on';
SET LOCAL lock_timeout = '8s';
SET LOCAL idle_in_transaction_session_timeout = '3s';
SET LOCAL client_min_messages = 'warning';
