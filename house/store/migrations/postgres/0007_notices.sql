CREATE TABLE notice (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    channel TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    facts TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    done_at BIGINT,
    error TEXT COLLATE "C" NOT NULL,
    UNIQUE (channel, account, event)
);
CREATE INDEX notice_by_state ON notice (state, next_at);
CREATE INDEX notice_by_account ON notice (account, channel, created_at);
CREATE TABLE notice_preference (
    account TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    mail TEXT COLLATE "C" NOT NULL,
    lang TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    quiet_from BIGINT,
    quiet_to BIGINT,
    zone TEXT COLLATE "C" NOT NULL
);
