-- Attributes of every table, by type, for filters and sorting; made anew from the rows at the next start.
DROP TABLE attribute;
CREATE TABLE attribute (
    subject_table TEXT NOT NULL,
    kind TEXT NOT NULL,
    row_id TEXT NOT NULL,
    name TEXT NOT NULL,
    item INTEGER NOT NULL,
    text TEXT,
    number INTEGER,
    PRIMARY KEY (row_id, subject_table, name, item)
) STRICT;
CREATE INDEX attribute_by_text ON attribute (subject_table, kind, name, text, row_id);
CREATE INDEX attribute_by_number ON attribute (subject_table, kind, name, number, row_id);
CREATE TABLE index_version (
    number INTEGER NOT NULL PRIMARY KEY
) STRICT;
INSERT INTO index_version (number) VALUES (0);
