-- Imports of whole workbooks: one under way, and which columns went where the last time.
CREATE TABLE import_draft (
    id TEXT NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX import_draft_by_time ON import_draft (created_at);
CREATE TABLE import_mapping (
    signature TEXT NOT NULL PRIMARY KEY,
    header TEXT NOT NULL,
    mapping TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX import_mapping_by_header ON import_mapping (header, updated_at);
