CREATE TABLE enrolment (
    token_hash TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER,
    agent TEXT,
    key_hash TEXT
) STRICT;
CREATE TABLE agent (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    asset TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    previous TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_seen INTEGER,
    revoked_at INTEGER,
    record_sequence INTEGER NOT NULL
) STRICT;
CREATE INDEX agent_by_fingerprint ON agent (fingerprint);
CREATE INDEX agent_by_previous ON agent (previous);
CREATE INDEX agent_by_name ON agent (name);
