-- Attributes of every table, by type, for filters and sorting; made anew from the rows at the next start.
DROP TABLE attribute;
CREATE TABLE attribute (
    subject_table TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    row_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    item BIGINT NOT NULL,
    text TEXT COLLATE "C",
    number BIGINT,
    PRIMARY KEY (row_id, subject_table, name, item)
);
CREATE INDEX attribute_by_text ON attribute (subject_table, kind, name, text, row_id);
CREATE INDEX attribute_by_number ON attribute (subject_table, kind, name, number, row_id);
CREATE TABLE index_version (
    number BIGINT NOT NULL PRIMARY KEY
);
INSERT INTO index_version (number) VALUES (0);
