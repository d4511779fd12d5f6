CREATE TABLE enrolment (
    token_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    agent TEXT COLLATE "C",
    key_hash TEXT COLLATE "C"
);
CREATE TABLE agent (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    asset TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    previous TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    last_seen BIGINT,
    revoked_at BIGINT,
    record_sequence BIGINT NOT NULL
);
CREATE INDEX agent_by_fingerprint ON agent (fingerprint);
CREATE INDEX agent_by_previous ON agent (previous);
CREATE INDEX agent_by_name ON agent (name);
