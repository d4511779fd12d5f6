-- What came in since yesterday, by type, without reading the records themselves.
CREATE INDEX record_by_receipt ON record (received_at, type);
-- Likewise the rows that changed last.
CREATE INDEX asset_by_change ON asset (updated_at DESC, id);
CREATE INDEX task_by_change ON task (updated_at DESC, id);
CREATE INDEX decision_by_change ON decision (updated_at DESC, id);
