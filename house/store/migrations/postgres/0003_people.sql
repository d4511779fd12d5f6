ALTER TABLE account ADD COLUMN must_change BIGINT NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN signed_in_at BIGINT;
ALTER TABLE session ADD COLUMN confirmed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN method TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX session_by_account ON session (account);
CREATE TABLE recovery_code (
    account TEXT COLLATE "C" NOT NULL,
    code_hash TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (account, code_hash)
);
CREATE TABLE passkey (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    credential TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX passkey_by_account ON passkey (account);
CREATE TABLE identity (
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE TABLE oidc_flow (
    state_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    nonce TEXT COLLATE "C" NOT NULL,
    verifier TEXT COLLATE "C" NOT NULL,
    back TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);
