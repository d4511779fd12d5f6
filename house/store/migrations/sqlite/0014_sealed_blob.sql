-- Where the sealed bytes of a file lie, and which key opens them; NULL until an older Ume's are sealed.
ALTER TABLE blob ADD COLUMN file TEXT;
ALTER TABLE blob ADD COLUMN cohort TEXT;
ALTER TABLE blob ADD COLUMN slot INTEGER;
CREATE UNIQUE INDEX blob_by_file ON blob (file);
