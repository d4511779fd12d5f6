//! The archive as DataFusion's table `events`.
//!
//! What a filter says of time, source and class rules segments out before they are opened; DataFusion checks every
//! row all the same. Only the columns that a statement names are read.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use datafusion::{
    arrow::datatypes::{Schema, SchemaRef},
    catalog::{Session, TableProvider},
    common::{DataFusionError, Result, ScalarValue},
    execution::{SendableRecordBatchStream, TaskContext},
    logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType},
    physical_plan::{
        ExecutionPlan,
        stream::RecordBatchReceiverStreamBuilder,
        streaming::{PartitionStream, StreamingTableExec},
    },
};
use model::Timestamp;
use stream::{
    Query,
    table::{self, Segment},
};

/// How many segments are read at the same time.
const PARTITIONS: usize = 2;
/// Batches that wait for whoever computes.
const AHEAD: usize = 2;

/// What was read.
#[derive(Debug, Default)]
pub struct Tally {
    pub scanned: AtomicUsize,
    pub pruned: AtomicUsize,
    pub unreadable: Mutex<Vec<String>>,
}

/// The table.
#[derive(Debug)]
pub struct Events {
    pub folder: PathBuf,
    pub query: Query,
    pub tally: Arc<Tally>,
}

#[async_trait]
impl TableProvider for Events {
    fn schema(&self) -> SchemaRef {
        table::schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let of = |filter: &&Expr| match comparison(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(of).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (query, class) = narrowed(&self.query, filters);
        let folder = self.folder.clone();
        let select =
            move || table::select(&folder, &query, class.as_ref().map(std::slice::from_ref));
        let selected = tokio::task::spawn_blocking(select).await;
        let selected = selected.map_err(external)?.map_err(external)?;
        self.tally.pruned.fetch_add(selected.pruned, Ordering::Relaxed);
        self.unreadable(selected.unreadable);
        let columns = projection.cloned().unwrap_or_else(|| (0..table::COLUMNS.len()).collect());
        let whole = table::schema();
        let fields: Vec<_> = columns.iter().map(|at| whole.field(*at).clone()).collect();
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let part = |at: usize| -> Arc<dyn PartitionStream> {
            Arc::new(Part {
                schema: schema.clone(),
                columns: columns.clone(),
                segments: selected.segments.iter().skip(at).step_by(PARTITIONS).cloned().collect(),
                tally: self.tally.clone(),
            })
        };
        let parts = (0..PARTITIONS).map(part).collect();
        let plan = StreamingTableExec::try_new(schema.clone(), parts, None, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

impl Events {
    fn unreadable(&self, more: Vec<String>) {
        self.tally.unreadable.lock().unwrap_or_else(PoisonError::into_inner).extend(more);
    }
}

fn external(error: impl std::error::Error + Send + Sync + 'static) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Every other segment.
struct Part {
    schema: SchemaRef,
    columns: Vec<usize>,
    segments: Vec<Segment>,
    tally: Arc<Tally>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} segments", self.segments.len())
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _ctx: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), AHEAD);
        let tx = builder.tx();
        let (segments, columns, tally) =
            (self.segments.clone(), self.columns.clone(), self.tally.clone());
        builder.spawn_blocking(move || {
            for segment in segments {
                tally.scanned.fetch_add(1, Ordering::Relaxed);
                // A segment that is damaged costs its own rows only, as it does a search.
                let lost = |error: stream::Error| {
                    tally
                        .unreadable
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(error.to_string());
                };
                let batches = match segment.read(&columns) {
                    Ok(batches) => batches,
                    Err(error) => {
                        lost(error);
                        continue;
                    }
                };
                for batch in batches {
                    match batch {
                        Ok(batch) => {
                            // Nobody listens any more.
                            if tx.blocking_send(Ok(batch)).is_err() {
                                return Ok(());
                            }
                        }
                        Err(error) => {
                            lost(error);
                            break;
                        }
                    }
                }
            }
            Ok(())
        });
        builder.build()
    }
}

/// What a filter says of a column that segments are known by.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    From(i64),
    Before(i64),
    Source(String),
    Class(u32),
}

/// The span, source and class that the filters leave.
fn narrowed(query: &Query, filters: &[Expr]) -> (Query, Option<u32>) {
    let (mut query, mut class) = (query.clone(), None);
    for said in filters.iter().filter_map(comparison).flatten() {
        match said {
            Said::From(time) => query.from = query.from.max(Some(Timestamp(time))),
            Said::Before(time) => {
                let time = Timestamp(time);
                query.to = Some(query.to.map_or(time, |to| to.min(time)));
            }
            // Two sources that differ leave nothing, which the rows will show.
            Said::Source(source) => query.source = query.source.or(Some(source)),
            Said::Class(of) => class = class.or(Some(of)),
        }
    }
    (query, class)
}

/// Reads `column OP literal`, either way round, and BETWEEN.
fn comparison(filter: &Expr) -> Option<Vec<Said>> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (column, op, value) = match (&**left, &**right) {
                (Expr::Column(column), Expr::Literal(value, _)) => (column, *op, value),
                (Expr::Literal(value, _), Expr::Column(column)) => (column, op.swap()?, value),
                _ => return None,
            };
            Some(vec![said(&column.name, op, value)?])
        }
        Expr::Between(between) if !between.negated => {
            let Expr::Column(column) = &*between.expr else { return None };
            let (Expr::Literal(low, _), Expr::Literal(high, _)) = (&*between.low, &*between.high)
            else {
                return None;
            };
            let low = said(&column.name, Operator::GtEq, low)?;
            Some(vec![low, said(&column.name, Operator::LtEq, high)?])
        }
        _ => None,
    }
}

fn said(column: &str, op: Operator, value: &ScalarValue) -> Option<Said> {
    match (column, op, value) {
        ("time", op, ScalarValue::TimestampMicrosecond(Some(time), _)) => match op {
            // Wider than it need be: which row it is, is looked at later.
            Operator::Gt | Operator::GtEq => Some(Said::From(*time)),
            Operator::Lt | Operator::LtEq => Some(Said::Before(time.saturating_add(1))),
            _ => None,
        },
        ("source", Operator::Eq, value) => {
            let source = value.try_as_str()??;
            Some(Said::Source(source.to_owned()))
        }
        ("class", Operator::Eq, ScalarValue::UInt32(Some(class))) => Some(Said::Class(*class)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn time(us: i64) -> Expr {
        lit(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())))
    }

    #[test]
    fn filters_narrow_what_is_opened_and_never_more_than_they_say() {
        let base =
            Query { from: Some(Timestamp(10)), to: Some(Timestamp(100)), ..Query::default() };
        let filters = [
            col("time").gt(time(20)),
            time(50).gt_eq(col("time")),
            col("source").eq(lit("web")),
            col("class").eq(lit(3002u32)),
            col("time").gt(time(5)),
            // Nothing is known of these.
            col("host").eq(lit("h")),
            col("time").gt(time(90)).or(col("source").eq(lit("x"))),
            col("source").not_eq(lit("y")),
        ];
        let (query, class) = narrowed(&base, &filters);
        assert_eq!((query.from, query.to), (Some(Timestamp(20)), Some(Timestamp(51))));
        assert_eq!((query.source.as_deref(), class), (Some("web"), Some(3002)));
        let (query, _) = narrowed(&base, &[col("time").between(time(30), time(40))]);
        assert_eq!((query.from, query.to), (Some(Timestamp(30)), Some(Timestamp(41))));
    }
}
