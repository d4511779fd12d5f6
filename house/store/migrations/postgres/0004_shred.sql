-- Payloads are sealed: salt and key lie in key files, one per expiry cohort. A row without cohort is
-- from before and in the clear; opening the store seals it. Rows commit to personal fields one by one,
-- so that each can be shredded and the rest still proves.
CREATE TABLE payload_sealed (
    record TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    cohort TEXT COLLATE "C",
    slot BIGINT,
    salt TEXT COLLATE "C",
    body BYTEA NOT NULL
);
INSERT INTO payload_sealed (record, salt, body) SELECT record, salt, body FROM payload;
DROP TABLE payload;
ALTER TABLE payload_sealed RENAME TO payload;
ALTER INDEX payload_sealed_pkey RENAME TO payload_pkey;
ALTER TABLE party ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE party_history ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE asset ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE asset_history ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE link ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE link_history ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE norm ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE norm_history ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE rule ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE rule_history ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE "check" ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE check_history ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE risk ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE risk_history ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE decision ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE decision_history ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE plan ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE plan_history ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE task ADD COLUMN personal TEXT COLLATE "C";
ALTER TABLE task_history ADD COLUMN personal TEXT COLLATE "C";
