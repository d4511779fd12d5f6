-- Files: what is known of each, and what names it. The bytes lie in the data folder.
CREATE TABLE blob (
    sha256 TEXT NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    name TEXT NOT NULL,
    uploaded_by TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX blob_by_time ON blob (uploaded_at);
CREATE TABLE blob_ref (
    sha256 TEXT NOT NULL,
    subject_table TEXT NOT NULL,
    row_id TEXT NOT NULL,
    PRIMARY KEY (sha256, subject_table, row_id)
) STRICT;
CREATE INDEX blob_ref_by_row ON blob_ref (subject_table, row_id);
