CREATE TABLE notice (
    id TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    event TEXT NOT NULL,
    facts TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    done_at INTEGER,
    error TEXT NOT NULL,
    UNIQUE (channel, account, event)
) STRICT;
CREATE INDEX notice_by_state ON notice (state, next_at);
CREATE INDEX notice_by_account ON notice (account, channel, created_at);
CREATE TABLE notice_preference (
    account TEXT NOT NULL PRIMARY KEY,
    mail TEXT NOT NULL,
    lang TEXT NOT NULL,
    digest TEXT NOT NULL,
    quiet_from INTEGER,
    quiet_to INTEGER,
    zone TEXT NOT NULL
) STRICT;
