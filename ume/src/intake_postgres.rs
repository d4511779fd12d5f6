//! Looks at a PostgreSQL: connections, sizes, restarts, locks, replication. What a look means is said by
//! [`stream::postgres`]; here is the way there.
//!
//! The connection only reads, its statements end after [`STATEMENT_MS`], and it waits for no lock. It is kept between
//! looks, and made anew after a failure, when the password is read again. A remote server must speak TLS unless the
//! address says otherwise. The user needs `pg_monitor` and nothing more.
//!
//! Limits: [`LOOK_MAX`] for a look; [`NAMED_MAX`] databases, standbys and slots.

use std::{collections::BTreeMap, path::PathBuf, str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Connection, PgConnection, Row,
    postgres::{PgConnectOptions, PgRow, PgSslMode},
};
use stream::{
    Format, RawLine, Stream,
    intake::{Shutdown, now},
    metrics::Sample,
    postgres::{Database, Look, NAMED_MAX, Seen, Told},
};

const STATEMENT_MS: &str = "5000";
const LOOK_MAX: Duration = Duration::from_secs(20);
const FAILED: &str = "probe failed";
const PORT: u16 = 5432;

/// A database to look at.
pub struct Probe {
    pub url: String,
    pub source: String,
    pub password_file: Option<PathBuf>,
    pub every: Duration,
}

/// What an address means.
pub fn options(url: &str) -> Result<PgConnectOptions, String> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    rest.ok_or("write postgres://USER@HOST/DATABASE")?;
    let options = PgConnectOptions::from_str(url).map_err(|error| error.to_string())?;
    let host = options.get_host();
    let is_local = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let says = url.contains("sslmode=") || url.contains("ssl-mode=");
    Ok(if is_local || says { options } else { options.ssl_mode(PgSslMode::Require) })
}

/// Whether an address holds a password, where anybody could read it.
pub fn has_password(url: &str) -> bool {
    let place = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = place.split(['/', '?']).next().unwrap_or("");
    let who = place.rsplit_once('@').map_or("", |(who, _)| who);
    who.contains(':') || url.contains("password=")
}

impl Probe {
    /// Looks until the end.
    pub async fn run(self, stream: Stream, mut shutdown: Shutdown) -> stream::Result<()> {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut seen, mut connection) = (Seen::default(), None);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = shutdown.wait_for(|end| *end) => return Ok(()),
            }
            let look = tokio::time::timeout(LOOK_MAX.min(self.every), self.look(&mut connection));
            let looked = tokio::select! {
                looked = look => looked.unwrap_or_else(|_| Err("no answer in time".to_owned())),
                _ = shutdown.wait_for(|end| *end) => return Ok(()),
            };
            let failed = looked.is_err();
            let (samples, told) = match looked {
                Ok(look) => seen.look(look),
                Err(reason) => {
                    connection = None;
                    seen.failed(&reason)
                }
            };
            for told in told.iter().filter(|_| failed) {
                tracing::warn!(source = self.source, "{}", told.message);
            }
            if let Err(error) = self.store(&stream, &samples, &told, failed).await {
                tracing::error!(source = self.source, %error, "measurements were not stored");
            }
        }
    }

    async fn look(&self, kept: &mut Option<PgConnection>) -> Result<Look, String> {
        // A connection that broke between two looks says nothing of whether the server answers now.
        if let Some(connection) = kept
            && let Ok(look) = look(connection).await
        {
            return Ok(look);
        }
        *kept = None;
        let mut connection = self.connect().await?;
        let look = look(&mut connection).await.map_err(|error| said(&error))?;
        *kept = Some(connection);
        Ok(look)
    }

    async fn connect(&self) -> Result<PgConnection, String> {
        let mut options =
            options(&self.url)?.application_name("ume").statement_cache_capacity(0).options([
                ("default_transaction_read_only", "on"),
                ("statement_timeout", STATEMENT_MS),
                ("lock_timeout", "1000"),
            ]);
        if let Some(path) = &self.password_file {
            let password = tokio::fs::read_to_string(path).await;
            let password = password.map_err(|error| format!("{}: {error}", path.display()))?;
            options = options.password(password.trim_end_matches(['\r', '\n']));
        }
        // Statements that are the same each minute are no news.
        let options = options.disable_statement_logging();
        let mut connection =
            PgConnection::connect_with(&options).await.map_err(|error| said(&error))?;
        let sees: Result<bool, _> = sqlx::query_scalar("SELECT pg_has_role('pg_monitor', 'USAGE')")
            .fetch_one(&mut connection)
            .await;
        if !sees.map_err(|error| said(&error))? {
            let source = &self.source;
            tracing::warn!(
                source,
                "the user of the probe lacks pg_monitor: connections of others show no state"
            );
        }
        Ok(connection)
    }

    /// The host as series name it: as the address does, with the port where it is not the usual one.
    fn host(&self) -> String {
        let Ok(options) = options(&self.url) else { return String::new() };
        if options.get_socket().is_some() || options.get_host().starts_with('/') {
            return room::host_name();
        }
        match options.get_port() {
            PORT => options.get_host().to_owned(),
            port => format!("{}:{port}", options.get_host()),
        }
    }

    async fn store(
        &self,
        stream: &Stream,
        samples: &[Sample],
        told: &[Told],
        failed: bool,
    ) -> stream::Result<()> {
        let (time, host) = (now(), self.host());
        let line = |s: &Sample| RawLine::with_format(s.line(&host, time), Format::Json);
        let told = told.iter().map(|told| told.line(&self.source, &host, time));
        let lines: Vec<RawLine> = samples.iter().map(line).chain(told).collect();
        let (stream, source) = (stream.clone(), self.source.clone());
        let stored = tokio::task::spawn_blocking(move || {
            if failed {
                stream.lost(&source, FAILED, 1)?;
            }
            stream.ingest(&source, lines, time).map(drop)
        });
        stored.await.map_err(|error| stream::Error::Worker(error.to_string()))?
    }
}

/// The server's own word where there is one: it names no secrets, and neither do the others.
fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    }
}

const SERVER: &str = "SELECT extract(epoch FROM pg_postmaster_start_time())::float8,
    pg_is_in_recovery(), current_setting('server_version'),
    current_setting('max_connections')::float8,
    current_setting('superuser_reserved_connections')::float8";
const CONNECTIONS: &str = "SELECT coalesce(state, 'unknown'), count(*)::float8
    FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1";
const WAITS: &str = "SELECT (SELECT count(*)::float8 FROM pg_locks WHERE NOT granted),
    coalesce(max(extract(epoch FROM clock_timestamp() - state_change))
        FILTER (WHERE wait_event_type = 'Lock'), 0)::float8,
    coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8
    FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
// What one may not connect to has a size for those alone who may read all statistics.
const DATABASES: &str = "SELECT d.datname::text,
    CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
        THEN pg_database_size(d.oid)::float8 END,
    age(d.datfrozenxid)::float8, s.xact_commit::float8, s.xact_rollback::float8, s.blks_hit::float8,
    s.blks_read::float8, s.deadlocks::float8, s.temp_bytes::float8,
    coalesce((to_jsonb(s) ->> 'checksum_failures')::float8, 0)
    FROM pg_database d JOIN pg_stat_database s ON s.datid = d.oid
    WHERE d.datallowconn ORDER BY d.oid LIMIT $1";
const STANDBYS: &str =
    "SELECT coalesce(nullif(application_name, ''), client_addr::text, 'standby'),
    coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::float8
    FROM pg_stat_replication ORDER BY 1 LIMIT $1";
const SLOTS: &str = "SELECT slot_name::text,
    coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::float8
    FROM pg_replication_slots ORDER BY 1 LIMIT $1";
// A standby that replayed everything is not behind, however long ago that was.
const BEHIND: &str = "SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
    ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END::float8";

async fn look(connection: &mut PgConnection) -> Result<Look, sqlx::Error> {
    let server = sqlx::query(SERVER).fetch_one(&mut *connection).await?;
    let mut look = Look {
        started_s: server.try_get(0)?,
        is_standby: server.try_get(1)?,
        version: server.try_get(2)?,
        connections_max: server.try_get(3)?,
        connections_reserved: server.try_get(4)?,
        ..Look::default()
    };
    let states = sqlx::query(CONNECTIONS).fetch_all(&mut *connection).await?;
    look.connections = pairs(&states)?.into_iter().collect::<BTreeMap<_, _>>();
    let waits = sqlx::query(WAITS).fetch_one(&mut *connection).await?;
    look.locks_waiting = waits.try_get(0)?;
    look.longest_lock_wait_s = waits.try_get(1)?;
    look.oldest_transaction_s = waits.try_get(2)?;
    let most = NAMED_MAX as i64;
    let databases = sqlx::query(DATABASES).bind(most).fetch_all(&mut *connection).await?;
    look.databases = databases.iter().map(database).collect::<Result<_, _>>()?;
    if look.is_standby {
        look.replay_lag_s = sqlx::query_scalar(BEHIND).fetch_one(&mut *connection).await?;
    } else {
        let standbys = sqlx::query(STANDBYS).bind(most).fetch_all(&mut *connection).await?;
        let slots = sqlx::query(SLOTS).bind(most).fetch_all(&mut *connection).await?;
        (look.standbys, look.slots) = (pairs(&standbys)?, pairs(&slots)?);
    }
    Ok(look)
}

fn pairs(rows: &[PgRow]) -> Result<Vec<(String, f64)>, sqlx::Error> {
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

fn database(row: &PgRow) -> Result<Database, sqlx::Error> {
    Ok(Database {
        name: row.try_get(0)?,
        bytes: row.try_get(1)?,
        age: row.try_get(2)?,
        commits: row.try_get(3)?,
        rollbacks: row.try_get(4)?,
        blocks_hit: row.try_get(5)?,
        blocks_read: row.try_get(6)?,
        deadlocks: row.try_get(7)?,
        temporary_bytes: row.try_get(8)?,
        checksum_failures: row.try_get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_no_password_and_go_over_tls_when_they_leave_the_machine() {
        for (url, secret) in [
            ("postgres://u@h/d", false),
            ("postgres://u:p@h/d", true),
            ("postgres://u@h:5433/d?password=p", true),
            ("postgres://h:5433/d", false),
        ] {
            assert_eq!(has_password(url), secret, "{url}");
        }
        let mode = |url: &str| format!("{:?}", options(url).unwrap().get_ssl_mode());
        assert_eq!(mode("postgres://u@db1.example/d"), "Require");
        assert_eq!(mode("postgres://u@db1.example/d?sslmode=verify-full"), "VerifyFull");
        assert_eq!(mode("postgres://u@127.0.0.1/d"), "Prefer");
        assert!(options("mysql://h/d").is_err());
    }

    #[test]
    fn the_host_of_a_series_has_its_port_where_that_is_unusual() {
        let host = |url: &str| {
            let (url, source) = (url.to_owned(), String::new());
            Probe { url, source, password_file: None, every: Duration::from_secs(60) }.host()
        };
        assert_eq!(host("postgres://u@db1/d"), "db1");
        assert_eq!(host("postgres://u@db1:5433/d"), "db1:5433");
    }
}
