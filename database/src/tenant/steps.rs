//! The statements that change something: counted, and stoppable after any of them.

use sqlx::{AssertSqlSafe, PgConnection};

use super::Error;

/// Runs statements and remembers what each was for. A test that stops after each in turn has
/// seen every crash.
#[derive(Debug, Default)]
pub struct Steps {
    written: Vec<&'static str>,
    stop_after: Option<usize>,
}

impl Steps {
    /// As many as needed.
    pub fn all() -> Self {
        Self::default()
    }

    /// Refuses every statement after the `count`-th with [`Error::Stopped`], as if the process
    /// had died there.
    pub fn stop_after(count: usize) -> Self {
        Self { stop_after: Some(count), ..Self::default() }
    }

    /// What was written, in order. Empty: all was as it should be.
    pub fn written(&self) -> &[&'static str] {
        &self.written
    }

    /// One round trip; several statements in it commit together or not at all.
    pub(super) async fn write(
        &mut self,
        conn: &mut PgConnection,
        step: &'static str,
        sql: String,
    ) -> Result<(), Error> {
        self.may_go_on()?;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(conn)
            .await
            .map_err(|source| Error::Step { step, source })?;
        self.written.push(step);
        Ok(())
    }

    pub(super) fn may_go_on(&self) -> Result<(), Error> {
        if self.stop_after.is_some_and(|count| self.written.len() >= count) {
            return Err(Error::Stopped);
        }
        Ok(())
    }

    pub(super) fn note(&mut self, step: &'static str) {
        self.written.push(step);
    }
}

/// Names what a read was for.
pub(super) fn reading(step: &'static str) -> impl Fn(sqlx::Error) -> Error {
    move |source| Error::Step { step, source }
}
