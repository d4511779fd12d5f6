-- Eleven subject tables, their history and the plumbing. Times are microseconds UTC; JSON is canonical text.
CREATE TABLE party (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX party_by_kind ON party (kind, name, id);
CREATE INDEX party_by_subject ON party (subject, kind);
CREATE INDEX party_by_object ON party (object, kind);
CREATE INDEX party_by_end ON party (ends_at);
CREATE TABLE party_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE asset (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX asset_by_kind ON asset (kind, name, id);
CREATE INDEX asset_by_subject ON asset (subject, kind);
CREATE INDEX asset_by_object ON asset (object, kind);
CREATE INDEX asset_by_end ON asset (ends_at);
CREATE TABLE asset_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE link (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX link_by_kind ON link (kind, name, id);
CREATE INDEX link_by_subject ON link (subject, kind);
CREATE INDEX link_by_object ON link (object, kind);
CREATE INDEX link_by_end ON link (ends_at);
CREATE TABLE link_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE norm (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX norm_by_kind ON norm (kind, name, id);
CREATE INDEX norm_by_subject ON norm (subject, kind);
CREATE INDEX norm_by_object ON norm (object, kind);
CREATE INDEX norm_by_end ON norm (ends_at);
CREATE TABLE norm_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE rule (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX rule_by_kind ON rule (kind, name, id);
CREATE INDEX rule_by_subject ON rule (subject, kind);
CREATE INDEX rule_by_object ON rule (object, kind);
CREATE INDEX rule_by_end ON rule (ends_at);
CREATE TABLE rule_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE "check" (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX check_by_kind ON "check" (kind, name, id);
CREATE INDEX check_by_subject ON "check" (subject, kind);
CREATE INDEX check_by_object ON "check" (object, kind);
CREATE INDEX check_by_end ON "check" (ends_at);
CREATE TABLE check_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE risk (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX risk_by_kind ON risk (kind, name, id);
CREATE INDEX risk_by_subject ON risk (subject, kind);
CREATE INDEX risk_by_object ON risk (object, kind);
CREATE INDEX risk_by_end ON risk (ends_at);
CREATE TABLE risk_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE decision (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX decision_by_kind ON decision (kind, name, id);
CREATE INDEX decision_by_subject ON decision (subject, kind);
CREATE INDEX decision_by_object ON decision (object, kind);
CREATE INDEX decision_by_end ON decision (ends_at);
CREATE TABLE decision_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE plan (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX plan_by_kind ON plan (kind, name, id);
CREATE INDEX plan_by_subject ON plan (subject, kind);
CREATE INDEX plan_by_object ON plan (object, kind);
CREATE INDEX plan_by_end ON plan (ends_at);
CREATE TABLE plan_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE task (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX task_by_kind ON task (kind, name, id);
CREATE INDEX task_by_subject ON task (subject, kind);
CREATE INDEX task_by_object ON task (object, kind);
CREATE INDEX task_by_end ON task (ends_at);
CREATE TABLE task_history (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT,
    status TEXT NOT NULL,
    subject TEXT,
    object TEXT,
    subject_hash TEXT,
    starts_at INTEGER,
    ends_at INTEGER,
    attributes TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    request TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    salt TEXT NOT NULL,
    replaced_at INTEGER NOT NULL,
    PRIMARY KEY (id, version)
) STRICT;
CREATE TABLE record (
    id TEXT NOT NULL PRIMARY KEY,
    type TEXT NOT NULL,
    subject TEXT,
    actor TEXT NOT NULL,
    observed_from INTEGER NOT NULL,
    observed_to INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    assurance TEXT NOT NULL,
    facts TEXT NOT NULL,
    payload_commit TEXT,
    leaf_index INTEGER
) STRICT;
CREATE INDEX record_by_type ON record (type, observed_to);
CREATE INDEX record_by_subject ON record (subject, type, observed_to);
CREATE TABLE payload (
    record TEXT NOT NULL PRIMARY KEY,
    salt TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE attribute (
    asset TEXT NOT NULL,
    name TEXT NOT NULL,
    text TEXT,
    number INTEGER,
    PRIMARY KEY (asset, name)
) STRICT;
CREATE INDEX attribute_by_text ON attribute (name, text, asset);
CREATE INDEX attribute_by_number ON attribute (name, number, asset);
CREATE TABLE token (
    subject_table TEXT NOT NULL,
    row_id TEXT NOT NULL,
    token TEXT NOT NULL,
    PRIMARY KEY (token, subject_table, row_id)
) STRICT;
CREATE INDEX token_by_row ON token (subject_table, row_id);
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    row_key TEXT NOT NULL,
    leaf TEXT NOT NULL
) STRICT;
CREATE TABLE leaf (
    row_key TEXT NOT NULL PRIMARY KEY,
    leaf_index INTEGER NOT NULL
) STRICT;
CREATE INDEX leaf_by_index ON leaf (leaf_index);
CREATE TABLE account (
    id TEXT NOT NULL PRIMARY KEY,
    login TEXT NOT NULL UNIQUE,
    party TEXT,
    role TEXT NOT NULL,
    password TEXT NOT NULL,
    totp TEXT,
    totp_step INTEGER NOT NULL,
    recovery TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE session (
    token_hash TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    csrf TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    address TEXT NOT NULL
) STRICT;
CREATE TABLE token_api (
    id TEXT NOT NULL PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    used_at INTEGER
) STRICT;
CREATE TABLE job (
    name TEXT NOT NULL PRIMARY KEY,
    lease_until INTEGER NOT NULL,
    last_started INTEGER,
    last_ended INTEGER,
    last_result TEXT,
    last_error TEXT,
    next_due INTEGER NOT NULL
) STRICT;
CREATE TABLE setting (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
