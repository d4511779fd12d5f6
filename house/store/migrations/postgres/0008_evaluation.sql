-- What the evaluation walks: the newest record per type and subject, and records by time.
CREATE INDEX record_by_type_subject ON record (type, subject, observed_to);
CREATE INDEX record_by_time ON record (observed_to);
-- Live rows per kind and records per type, kept by every write, so that no page counts.
CREATE TABLE tally (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    amount BIGINT NOT NULL
);
INSERT INTO tally (name, amount) SELECT 'party/' || kind, COUNT(*) FROM party WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'asset/' || kind, COUNT(*) FROM asset WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'link/' || kind, COUNT(*) FROM link WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'norm/' || kind, COUNT(*) FROM norm WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'rule/' || kind, COUNT(*) FROM rule WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'check/' || kind, COUNT(*) FROM "check" WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'risk/' || kind, COUNT(*) FROM risk WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'decision/' || kind, COUNT(*) FROM decision WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'plan/' || kind, COUNT(*) FROM plan WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'task/' || kind, COUNT(*) FROM task WHERE deleted = 0 GROUP BY kind;
INSERT INTO tally (name, amount) SELECT 'record/' || type, COUNT(*) FROM record GROUP BY type;
