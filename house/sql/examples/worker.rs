//! What `ume sql-worker` is, alone: for tests that start it.

fn main() -> std::io::Result<()> {
    sql::apart::work()
}
