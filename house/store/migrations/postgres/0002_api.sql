-- What the API needs: keys that make a repeated request harmless, and lists over all kinds by name.
CREATE TABLE idempotency (
    key_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    request_hash TEXT COLLATE "C" NOT NULL,
    subject_table TEXT COLLATE "C" NOT NULL,
    row_id TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX idempotency_by_end ON idempotency (expires_at);
CREATE INDEX token_api_by_account ON token_api (account);
CREATE INDEX party_by_name ON party (name, id);
CREATE INDEX asset_by_name ON asset (name, id);
CREATE INDEX link_by_name ON link (name, id);
CREATE INDEX norm_by_name ON norm (name, id);
CREATE INDEX rule_by_name ON rule (name, id);
CREATE INDEX check_by_name ON "check" (name, id);
CREATE INDEX risk_by_name ON risk (name, id);
CREATE INDEX decision_by_name ON decision (name, id);
CREATE INDEX plan_by_name ON plan (name, id);
CREATE INDEX task_by_name ON task (name, id);
CREATE INDEX record_by_type_id ON record (type, id);
CREATE INDEX record_by_subject_id ON record (subject, id);
