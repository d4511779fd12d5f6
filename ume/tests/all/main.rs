//! The tests of the front door from outside, in one program: a program each is minutes of linking and gigabytes of disk.

mod access;
mod actors;
mod add_source;
mod addresses;
mod agents;
mod api;
mod approvals;
mod archived;
mod backup;
mod backup_files;
mod backups;
mod beside;
mod bundle;
mod criteria;
mod day_one;
#[allow(dead_code)]
#[path = "../../src/declared.rs"]
mod declared;
mod demo;
mod drift;
mod events;
mod executive;
mod files;
mod findings;
mod findings_stream;
#[allow(dead_code)]
#[path = "../../src/follow.rs"]
mod follow;
mod gap;
mod hunts;
mod impact_signed;
mod import;
mod indicator_patterns;
mod indicator_sets;
#[allow(dead_code)]
#[path = "../../src/intake_http.rs"]
mod intake_http;
#[allow(dead_code)]
#[path = "../../src/intake_otlp.rs"]
mod intake_otlp;
#[allow(dead_code)]
#[path = "../../src/intake_upload.rs"]
mod intake_upload;
mod intelligence;
mod intelligence_flow;
mod intelligence_news;
mod interrupt;
#[allow(dead_code)]
#[path = "../../src/jobs_page.rs"]
mod jobs_page;
mod kills;
mod kills_findings;
mod kinds;
mod laws;
mod ledger;
mod logs;
mod nats;
mod operations;
mod oscal;
mod otlp;
mod outlets;
mod outside;
mod pages;
mod past_pages;
mod peers;
mod permission;
mod postgres;
mod process;
mod registers;
mod reviews;
#[allow(dead_code)]
#[path = "../../src/rooms.rs"]
mod rooms;
#[allow(dead_code)]
#[path = "../../src/routes.rs"]
mod routes;
mod senders;
mod series;
mod served;
mod sigma;
mod sql;
mod tasks;
mod ten_threats;
mod threat_process;
mod writers;
