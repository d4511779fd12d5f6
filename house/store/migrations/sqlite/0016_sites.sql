-- Where rows lie: one line for each place that a row names, or that a link says it is located in.
-- Made from the rows, like attribute; source is the row or the link that says so.
CREATE TABLE placement (
    source TEXT NOT NULL,
    row_id TEXT NOT NULL,
    place_id TEXT NOT NULL,
    PRIMARY KEY (row_id, place_id, source)
) STRICT;
CREATE INDEX placement_by_source ON placement (source);
-- Ids of the sites to which an account is narrowed, apart by spaces; empty for none.
ALTER TABLE account ADD COLUMN sites TEXT NOT NULL DEFAULT '';
