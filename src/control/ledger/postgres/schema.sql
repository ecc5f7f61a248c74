-- What a team's ledger is kept in. `grantor ledger migrate` runs this as the owner of the schema, again and
-- again: each statement leaves what is there as it is.
CREATE SCHEMA IF NOT EXISTS grantor;

CREATE TABLE IF NOT EXISTS grantor.version (version integer NOT NULL);

-- One row a chain: whoever adds a line has it locked until the line is committed.
CREATE TABLE IF NOT EXISTS grantor.chain (
    name text PRIMARY KEY,
    seq bigint NOT NULL,
    hash text NOT NULL,
    -- The format of lines that a program must write to add one.
    writer_min integer NOT NULL,
    began timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- A line as its bytes are: a seal is over them. The number comes from the row of the chain.
CREATE TABLE IF NOT EXISTS grantor.line (
    chain text NOT NULL REFERENCES grantor.chain (name),
    seq bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (chain, seq)
);

-- What one process has at a time. The token grows with each that has it.
CREATE TABLE IF NOT EXISTS grantor.lease (
    chain text NOT NULL,
    name text NOT NULL,
    token bigint NOT NULL,
    holder text NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (chain, name)
);

-- Which processes live.
CREATE TABLE IF NOT EXISTS grantor.presence (
    chain text NOT NULL,
    process text NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (chain, process)
);

-- Small things that all replicas share, some of them for a time.
CREATE TABLE IF NOT EXISTS grantor.kept (
    chain text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    until timestamptz NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (chain, kind, key)
);
CREATE INDEX IF NOT EXISTS kept_until ON grantor.kept (until);

-- Who serves adds lines and changes none.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'grantor_app') THEN
        GRANT USAGE ON SCHEMA grantor TO grantor_app;
        GRANT SELECT ON grantor.version TO grantor_app;
        GRANT SELECT, INSERT, UPDATE ON grantor.chain TO grantor_app;
        GRANT SELECT, INSERT ON grantor.line TO grantor_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON grantor.lease, grantor.presence, grantor.kept TO grantor_app;
    END IF;
END
$$;
