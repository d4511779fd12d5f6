-- Files: what is known of each, and what names it. The bytes lie in the data folder.
CREATE TABLE blob (
    sha256 TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    bytes BIGINT NOT NULL,
    media_type TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    uploaded_by TEXT COLLATE "C" NOT NULL,
    uploaded_at BIGINT NOT NULL
);
CREATE INDEX blob_by_time ON blob (uploaded_at);
CREATE TABLE blob_ref (
    sha256 TEXT COLLATE "C" NOT NULL,
    subject_table TEXT COLLATE "C" NOT NULL,
    row_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (sha256, subject_table, row_id)
);
CREATE INDEX blob_ref_by_row ON blob_ref (subject_table, row_id);
