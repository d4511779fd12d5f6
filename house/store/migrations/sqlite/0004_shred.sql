-- Payloads are sealed: salt and key lie in key files, one per expiry cohort. A row without cohort is
-- from before and in the clear; opening the store seals it. Rows commit to personal fields one by one,
-- so that each can be shredded and the rest still proves.
CREATE TABLE payload_sealed (
    record TEXT NOT NULL PRIMARY KEY,
    cohort TEXT,
    slot INTEGER,
    salt TEXT,
    body BLOB NOT NULL
) STRICT;
INSERT INTO payload_sealed (record, salt, body) SELECT record, salt, body FROM payload;
DROP TABLE payload;
ALTER TABLE payload_sealed RENAME TO payload;
ALTER TABLE party ADD COLUMN personal TEXT;
ALTER TABLE party_history ADD COLUMN personal TEXT;
ALTER TABLE asset ADD COLUMN personal TEXT;
ALTER TABLE asset_history ADD COLUMN personal TEXT;
ALTER TABLE link ADD COLUMN personal TEXT;
ALTER TABLE link_history ADD COLUMN personal TEXT;
ALTER TABLE norm ADD COLUMN personal TEXT;
ALTER TABLE norm_history ADD COLUMN personal TEXT;
ALTER TABLE rule ADD COLUMN personal TEXT;
ALTER TABLE rule_history ADD COLUMN personal TEXT;
ALTER TABLE "check" ADD COLUMN personal TEXT;
ALTER TABLE check_history ADD COLUMN personal TEXT;
ALTER TABLE risk ADD COLUMN personal TEXT;
ALTER TABLE risk_history ADD COLUMN personal TEXT;
ALTER TABLE decision ADD COLUMN personal TEXT;
ALTER TABLE decision_history ADD COLUMN personal TEXT;
ALTER TABLE plan ADD COLUMN personal TEXT;
ALTER TABLE plan_history ADD COLUMN personal TEXT;
ALTER TABLE task ADD COLUMN personal TEXT;
ALTER TABLE task_history ADD COLUMN personal TEXT;
