//! One statement through DataFusion, within limits.

use std::{
    path::Path,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use datafusion::{
    arrow::{
        array::{Array, AsArray, RecordBatch, StringArray},
        datatypes::DataType,
        util::display::{ArrayFormatter, FormatOptions},
    },
    common::DataFusionError,
    execution::{
        SessionStateBuilder, SessionStateDefaults,
        disk_manager::{DiskManagerBuilder, DiskManagerMode},
        memory_pool::GreedyMemoryPool,
        runtime_env::RuntimeEnvBuilder,
    },
    logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf},
    prelude::{SQLOptions, SessionConfig, SessionContext},
    sql::{
        parser::{DFParserBuilder, Statement},
        sqlparser::{
            ast,
            dialect::GenericDialect,
            tokenizer::{Token, Tokenizer},
        },
    },
};
use futures_util::StreamExt;
use serde_json::Value as Json;

use crate::{
    Answer, Ask, Kind, Limits, SQL_BYTES_MAX, Trouble,
    events::{Events, Tally},
};

/// Threads that compute.
const THREADS: usize = 2;
/// Most words of a statement: a sum of ten thousand terms is a tree as deep, and not everything that walks it looks
/// after the stack.
const WORDS_MAX: usize = 2_000;
/// What that many may take of it.
const STACK_BYTES: usize = 16 << 20;
/// How deep an expression may be nested.
const DEPTH_MAX: usize = 50;
/// Functions that do nothing but make a text longer, by a number that anybody may write, where no pool counts it.
const LEFT_OUT: [&str; 3] = ["repeat", "lpad", "rpad"];

pub fn run(folder: &Path, ask: &Ask) -> Result<Answer, Trouble> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(2 * THREADS)
        .thread_stack_size(STACK_BYTES)
        .enable_time()
        .build()
        .map_err(|error| Trouble::new(Kind::Failed, error))?;
    let wait = Duration::from_secs(ask.limits.seconds_max.max(1));
    let answer = runtime.block_on(async {
        // On a task of its own, so that the clock runs even while a batch is computed.
        let (folder, ask) = (folder.to_owned(), ask.clone());
        let mut task = tokio::spawn(async move { answer(&folder, &ask).await });
        match tokio::time::timeout(wait, &mut task).await {
            Ok(done) => done.unwrap_or_else(|error| Err(Trouble::new(Kind::Failed, error))),
            Err(_) => {
                task.abort();
                Err(Trouble::new(Kind::Time, ""))
            }
        }
    });
    // What computes at this moment is not waited for.
    runtime.shutdown_background();
    answer
}

async fn answer(folder: &Path, ask: &Ask) -> Result<Answer, Trouble> {
    let statement = read(&ask.sql)?;
    let tally = Arc::new(Tally::default());
    let context = context(&ask.limits)?;
    let events = Events { folder: folder.to_owned(), query: ask.query(), tally: tally.clone() };
    context.register_table("events", Arc::new(events)).map_err(trouble)?;
    let plan = context.state().statement_to_plan(statement).await.map_err(trouble)?;
    let reads =
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reads.verify_plan(&plan).map_err(|error| Trouble::new(Kind::NotRead, first(&error)))?;
    let frame = context.execute_logical_plan(plan).await.map_err(trouble)?;
    let mut batches = frame.execute_stream().await.map_err(ran)?;
    let columns = batches.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut taken = Answer { columns, ..Answer::default() };
    let mut bytes = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(ran)?;
        take(&batch, &ask.limits, &mut bytes, &mut taken)?;
        if taken.cut {
            break;
        }
    }
    taken.scanned_segments = tally.scanned.load(Ordering::Relaxed);
    taken.pruned_segments = tally.pruned.load(Ordering::Relaxed);
    let mut unreadable = tally.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
    taken.unreadable = std::mem::take(&mut unreadable);
    Ok(taken)
}

/// The one statement, which only reads.
fn read(sql: &str) -> Result<Statement, Trouble> {
    if sql.len() > SQL_BYTES_MAX || words(sql) > WORDS_MAX {
        return Err(Trouble::new(Kind::TooLong, ""));
    }
    let parser = DFParserBuilder::new(sql).with_recursion_limit(DEPTH_MAX).build();
    let mut all = parser.and_then(|mut parser| parser.parse_statements()).map_err(trouble)?;
    let (Some(statement), true) = (all.pop_front(), all.is_empty()) else {
        return Err(Trouble::new(Kind::NotOne, ""));
    };
    match &statement {
        Statement::Statement(inner) if matches!(**inner, ast::Statement::Query(_)) => Ok(statement),
        other => {
            let word = other.to_string();
            let word = word.split([' ', '(']).next().unwrap_or_default().to_owned();
            Err(Trouble::new(Kind::NotRead, word))
        }
    }
}

/// Words, numbers and signs of a statement; what cannot be told apart is left to the parser to refuse.
fn words(sql: &str) -> usize {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize().unwrap_or_default();
    tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))).count()
}

fn context(limits: &Limits) -> Result<SessionContext, Trouble> {
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let runtime = RuntimeEnvBuilder::new()
        .with_disk_manager_builder(disk)
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(limits.memory_bytes_max)))
        .build_arc()
        .map_err(trouble)?;
    let mut config =
        SessionConfig::new().with_target_partitions(THREADS).with_information_schema(false);
    let options = config.options_mut();
    // Without an end in sight there is none.
    options.execution.enable_recursive_ctes = false;
    options.sql_parser.collect_spans = true;
    let functions = SessionStateDefaults::default_scalar_functions().into_iter();
    let functions = functions.filter(|f| !LEFT_OUT.contains(&f.name()));
    // No table functions, no file formats, no factories of tables: what is not there cannot be named.
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_expr_planners(SessionStateDefaults::default_expr_planners())
        .with_scalar_functions(functions.chain([Arc::new(field())]).collect())
        .with_aggregate_functions(SessionStateDefaults::default_aggregate_functions())
        .with_window_functions(SessionStateDefaults::default_window_functions())
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// `field(fields, 'name')`: what was read from the log under a name.
fn field() -> ScalarUDF {
    let text = || DataType::Utf8;
    let work = |given: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(given)?;
        let [fields, names] = &arrays[..] else {
            return Err(DataFusionError::Execution("field takes two texts".to_owned()));
        };
        let (fields, names) = (fields.as_string::<i32>(), names.as_string::<i32>());
        let value = |row: usize| -> Option<String> {
            if fields.is_null(row) || names.is_null(row) {
                return None;
            }
            let object: Json = serde_json::from_str(fields.value(row)).ok()?;
            match object.get(names.value(row))? {
                Json::String(text) => Some(text.clone()),
                Json::Null => None,
                other => Some(other.to_string()),
            }
        };
        let values: StringArray = (0..fields.len()).map(value).collect();
        Ok(ColumnarValue::Array(Arc::new(values)))
    };
    create_udf("field", vec![text(), text()], text(), Volatility::Immutable, Arc::new(work))
}

/// Takes rows in, as far as the limits go.
fn take(
    batch: &RecordBatch,
    limits: &Limits,
    bytes: &mut usize,
    taken: &mut Answer,
) -> Result<(), Trouble> {
    let options = FormatOptions::new();
    let shown =
        batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let shown = shown.collect::<Result<Vec<_>, _>>();
    let shown = shown.map_err(|error| Trouble::new(Kind::Failed, error))?;
    for row in 0..batch.num_rows() {
        if taken.rows.len() >= limits.rows_max || *bytes >= limits.bytes_max {
            taken.cut = true;
            return Ok(());
        }
        let mut cells = Vec::with_capacity(shown.len());
        for (column, shown) in batch.columns().iter().zip(&shown) {
            let text = shown.value(row).try_to_string();
            let text = text.map_err(|error| Trouble::new(Kind::Failed, error))?;
            *bytes += text.len();
            cells.push(cell(column.as_ref(), row, text));
        }
        taken.rows.push(cells);
    }
    Ok(())
}

fn cell(column: &dyn Array, row: usize, text: String) -> Json {
    if column.is_null(row) {
        return Json::Null;
    }
    let kind = column.data_type();
    if kind.is_integer() || kind.is_floating() || *kind == DataType::Boolean {
        // What JSON has no number for stays a text.
        return serde_json::from_str(&text).unwrap_or(Json::String(text));
    }
    Json::String(text)
}

/// A trouble before anything ran.
fn trouble(error: DataFusionError) -> Trouble {
    let said = first(&error);
    let kind = match error.find_root() {
        DataFusionError::SQL(..) => Kind::Syntax,
        DataFusionError::ResourcesExhausted(_) => Kind::Memory,
        _ => Kind::Meaning,
    };
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let at = span.map(|span| (span.start.line, span.start.column)).or_else(|| place(&said));
    let said = said.split(" at Line: ").next().unwrap_or(&said).to_owned();
    Trouble { at, ..Trouble::new(kind, said) }
}

/// A trouble on the way.
fn ran(error: DataFusionError) -> Trouble {
    let kind = match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => Kind::Memory,
        _ => Kind::Failed,
    };
    Trouble::new(kind, if kind == Kind::Memory { String::new() } else { first(&error) })
}

/// The first line of what an error says, without what only those who build DataFusion need.
fn first(error: &DataFusionError) -> String {
    let said = match error.find_root() {
        DataFusionError::SQL(error, _) => error.to_string(),
        root => root.strip_backtrace(),
    };
    let said =
        said.trim_start_matches("sql parser error: ").trim_start_matches("Error during planning: ");
    said.lines().next().unwrap_or_default().chars().take(400).collect()
}

/// `… at Line: 1, Column: 8`.
fn place(said: &str) -> Option<(u64, u64)> {
    let (_, rest) = said.split_once(" at Line: ")?;
    let (line, column) = rest.split_once(", Column: ")?;
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    Some((digits(line).parse().ok()?, digits(column).parse().ok()?))
}
