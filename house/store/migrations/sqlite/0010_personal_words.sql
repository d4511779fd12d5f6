-- Words of personal fields are kept apart: who may not see the fields does not find rows by them.
-- Until the next start has made the index anew, every word counts as personal.
ALTER TABLE token ADD COLUMN personal INTEGER NOT NULL DEFAULT 1;
-- Which fields were declared personal when the index was made.
ALTER TABLE index_version ADD COLUMN declared TEXT NOT NULL DEFAULT '';
