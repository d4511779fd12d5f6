-- Eleven subject tables, their history and the plumbing. Times are microseconds UTC; JSON is canonical text.
-- Every text compares by bytes, as it does on SQLite, whatever the locale of the database.
CREATE TABLE party (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX party_by_kind ON party (kind, name, id);
CREATE INDEX party_by_subject ON party (subject, kind);
CREATE INDEX party_by_object ON party (object, kind);
CREATE INDEX party_by_end ON party (ends_at);
CREATE TABLE party_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE asset (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX asset_by_kind ON asset (kind, name, id);
CREATE INDEX asset_by_subject ON asset (subject, kind);
CREATE INDEX asset_by_object ON asset (object, kind);
CREATE INDEX asset_by_end ON asset (ends_at);
CREATE TABLE asset_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE link (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX link_by_kind ON link (kind, name, id);
CREATE INDEX link_by_subject ON link (subject, kind);
CREATE INDEX link_by_object ON link (object, kind);
CREATE INDEX link_by_end ON link (ends_at);
CREATE TABLE link_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE norm (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX norm_by_kind ON norm (kind, name, id);
CREATE INDEX norm_by_subject ON norm (subject, kind);
CREATE INDEX norm_by_object ON norm (object, kind);
CREATE INDEX norm_by_end ON norm (ends_at);
CREATE TABLE norm_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE rule (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX rule_by_kind ON rule (kind, name, id);
CREATE INDEX rule_by_subject ON rule (subject, kind);
CREATE INDEX rule_by_object ON rule (object, kind);
CREATE INDEX rule_by_end ON rule (ends_at);
CREATE TABLE rule_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE "check" (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX check_by_kind ON "check" (kind, name, id);
CREATE INDEX check_by_subject ON "check" (subject, kind);
CREATE INDEX check_by_object ON "check" (object, kind);
CREATE INDEX check_by_end ON "check" (ends_at);
CREATE TABLE check_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE risk (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX risk_by_kind ON risk (kind, name, id);
CREATE INDEX risk_by_subject ON risk (subject, kind);
CREATE INDEX risk_by_object ON risk (object, kind);
CREATE INDEX risk_by_end ON risk (ends_at);
CREATE TABLE risk_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE decision (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX decision_by_kind ON decision (kind, name, id);
CREATE INDEX decision_by_subject ON decision (subject, kind);
CREATE INDEX decision_by_object ON decision (object, kind);
CREATE INDEX decision_by_end ON decision (ends_at);
CREATE TABLE decision_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE plan (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX plan_by_kind ON plan (kind, name, id);
CREATE INDEX plan_by_subject ON plan (subject, kind);
CREATE INDEX plan_by_object ON plan (object, kind);
CREATE INDEX plan_by_end ON plan (ends_at);
CREATE TABLE plan_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE task (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX task_by_kind ON task (kind, name, id);
CREATE INDEX task_by_subject ON task (subject, kind);
CREATE INDEX task_by_object ON task (object, kind);
CREATE INDEX task_by_end ON task (ends_at);
CREATE TABLE task_history (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C",
    status TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    object TEXT COLLATE "C",
    subject_hash TEXT COLLATE "C",
    starts_at BIGINT,
    ends_at BIGINT,
    attributes TEXT COLLATE "C" NOT NULL,
    schema_version BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    request TEXT COLLATE "C" NOT NULL,
    deleted BIGINT NOT NULL,
    salt TEXT COLLATE "C" NOT NULL,
    replaced_at BIGINT NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE record (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    type TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C",
    actor TEXT COLLATE "C" NOT NULL,
    observed_from BIGINT NOT NULL,
    observed_to BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    assurance TEXT COLLATE "C" NOT NULL,
    facts TEXT COLLATE "C" NOT NULL,
    payload_commit TEXT COLLATE "C",
    leaf_index BIGINT
);
CREATE INDEX record_by_type ON record (type, observed_to);
CREATE INDEX record_by_subject ON record (subject, type, observed_to);
CREATE TABLE payload (
    record TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    salt TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL
);
CREATE TABLE attribute (
    asset TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    text TEXT COLLATE "C",
    number BIGINT,
    PRIMARY KEY (asset, name)
);
CREATE INDEX attribute_by_text ON attribute (name, text, asset);
CREATE INDEX attribute_by_number ON attribute (name, number, asset);
CREATE TABLE token (
    subject_table TEXT COLLATE "C" NOT NULL,
    row_id TEXT COLLATE "C" NOT NULL,
    token TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (token, subject_table, row_id)
);
CREATE INDEX token_by_row ON token (subject_table, row_id);
CREATE TABLE outbox (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    row_key TEXT COLLATE "C" NOT NULL,
    leaf TEXT COLLATE "C" NOT NULL
);
CREATE TABLE leaf (
    row_key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    leaf_index BIGINT NOT NULL
);
CREATE INDEX leaf_by_index ON leaf (leaf_index);
CREATE TABLE account (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    login TEXT COLLATE "C" NOT NULL UNIQUE,
    party TEXT COLLATE "C",
    role TEXT COLLATE "C" NOT NULL,
    password TEXT COLLATE "C" NOT NULL,
    totp TEXT COLLATE "C",
    totp_step BIGINT NOT NULL,
    recovery TEXT COLLATE "C" NOT NULL,
    disabled BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE TABLE session (
    token_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    csrf TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    address TEXT COLLATE "C" NOT NULL
);
CREATE TABLE token_api (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    token_hash TEXT COLLATE "C" NOT NULL UNIQUE,
    account TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    used_at BIGINT
);
CREATE TABLE job (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    lease_until BIGINT NOT NULL,
    last_started BIGINT,
    last_ended BIGINT,
    last_result TEXT COLLATE "C",
    last_error TEXT COLLATE "C",
    next_due BIGINT NOT NULL
);
CREATE TABLE setting (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);
