//! Calling stored routines and named statements.

use std::sync::Arc;

use tidegate_domain::error::StoreError;
use tidegate_domain::gateway::port::Encoding;
use tidegate_domain::gateway::routine::{
    Arguments, Call, Called, Returns, Routine, RoutineStore, Shown, choose, named, unknown_name,
};
use tidegate_domain::gateway::schema::{DatabaseSchema, Table};
use tidegate_domain::permission::{Authorized, ReadRows, WriteRows};
use tidegate_domain::query::ask::{Clause, Query, SelectItem};
use tidegate_domain::query::change::Ending;
use tidegate_domain::query::error::QueryError;
use tidegate_domain::query::planner::Planner;

use crate::error::AppError;
use crate::gateway::Gateway;
use crate::phase::{self, Phase};

/// The use cases of routines.
pub struct Routines {
    gateway: Arc<Gateway>,
    store: Arc<dyn RoutineStore>,
    planner: Planner,
}

/// A call as it was asked for.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The database.
    pub database: &'a str,
    /// The routine's name.
    pub name: &'a str,
    /// What it is given.
    pub arguments: &'a Arguments,
    /// What is asked of its rows.
    pub query: &'a Query,
    /// The form of the answer.
    pub encoding: Encoding,
    /// How the transaction ends.
    pub ending: Ending,
}

impl Routines {
    /// Puts the parts together.
    pub fn new(gateway: Arc<Gateway>, store: Arc<dyn RoutineStore>, planner: Planner) -> Self {
        Self {
            gateway,
            store,
            planner,
        }
    }

    /// All routines of a database, by name.
    ///
    /// # Errors
    /// An unknown database.
    pub async fn list(
        &self,
        _: &Authorized<ReadRows>,
        database: &str,
    ) -> Result<Arc<[Arc<Routine>]>, AppError> {
        let schema = self.gateway.schema(database).await?;
        Ok(self.store.routines(&schema).await?)
    }

    /// Whether a routine may be called by reading: whether one of this name writes nothing.
    ///
    /// # Errors
    /// An unknown database or routine.
    pub async fn only_reads(
        &self,
        _: &Authorized<ReadRows>,
        database: &str,
        name: &str,
    ) -> Result<bool, AppError> {
        let (_, reads) = self
            .find(database, |routines| {
                let mut same = named(routines, name).peekable();
                if same.peek().is_none() {
                    return Err(unknown_name(database, routines, name));
                }
                Ok(same.any(|routine| routine.reads_only))
            })
            .await?;
        Ok(reads)
    }

    /// Calls a routine that writes nothing; one that tries is stopped by the engine.
    ///
    /// # Errors
    /// An unknown database or routine; arguments that do not fit; what is asked of rows that do
    /// not have it; whatever the routine says.
    pub async fn read(
        &self,
        _: &Authorized<ReadRows>,
        asked: &Asked<'_>,
    ) -> Result<Called, AppError> {
        self.run(asked, true).await
    }

    /// Calls a routine.
    ///
    /// # Errors
    /// As [`Self::read`]. Nothing of what it did is left then.
    pub async fn call(
        &self,
        _: &Authorized<WriteRows>,
        asked: &Asked<'_>,
    ) -> Result<Called, AppError> {
        self.run(asked, false).await
    }

    async fn run(&self, asked: &Asked<'_>, read_only: bool) -> Result<Called, AppError> {
        phase::ended(Phase::Parse);
        let (schema, routine) = self
            .find(asked.database, |routines| {
                choose(asked.database, routines, asked.name, asked.arguments).cloned()
            })
            .await?;
        let as_it_is = is_plain(asked.query);
        self.check(&routine, asked, as_it_is)?;
        let arguments = routine.values(asked.arguments)?;
        let plan = |table: &Arc<Table>| self.planner.read(None, table, asked.query);
        let call = Call {
            schema: &schema,
            routine: &routine,
            arguments: &arguments,
            read_only,
            ending: asked.ending,
        };
        let shown = Shown {
            plan: &plan,
            as_it_is,
            from: asked.query.count.map(|_| asked.query.offset),
            encoding: asked.encoding,
        };
        phase::ended(Phase::Plan);
        let outcome = self.store.call(&call, &shown).await;
        phase::ended(Phase::Transaction);
        match outcome {
            // It was there a moment ago. Or is it something that it needs?
            Err(error @ StoreError::Missing { kind: "routine" }) => {
                let routines = self.store.newer(&schema).await?;
                choose(asked.database, &routines, asked.name, asked.arguments)?;
                Err(error.into())
            }
            outcome => Ok(outcome?),
        }
    }

    /// What is asked of a routine that gives no rows to be asked.
    fn check(
        &self,
        routine: &Routine,
        asked: &Asked<'_>,
        as_it_is: bool,
    ) -> Result<(), QueryError> {
        if routine.returns.is_set() {
            return Ok(());
        }
        if asked.ending.most.is_some() {
            return Err(QueryError::NoRowsToLimit);
        }
        if as_it_is || routine.returns == Returns::Parameters {
            return Ok(());
        }
        Err(QueryError::UnknownColumn {
            table: routine.name.clone(),
            column: first_column(asked.query),
            similar: None,
        })
    }

    /// Looks among the routines of a database, and once more among newer ones where it finds
    /// nothing.
    async fn find<T>(
        &self,
        database: &str,
        look: impl Fn(&[Arc<Routine>]) -> Result<T, QueryError>,
    ) -> Result<(Arc<DatabaseSchema>, T), AppError> {
        let schema = self.gateway.schema(database).await?;
        let known = self.store.routines(&schema).await?;
        let found = match look(&known) {
            Err(QueryError::UnknownRoutine { .. }) => look(&self.store.newer(&schema).await?)?,
            found => found?,
        };
        Ok((schema, found))
    }
}

/// Whether a query asks for all rows and columns as they come, but for a window.
fn is_plain(query: &Query) -> bool {
    let everything = |item: &SelectItem| matches!(item, SelectItem::Everything);
    query.select.iter().all(everything)
        && query.select.len() < 2
        && query.filters.is_empty()
        && query.logic.is_empty()
        && query.order.is_empty()
}

/// A column that a query names.
fn first_column(query: &Query) -> String {
    fn of_clause(clause: &Clause) -> Option<&str> {
        match clause {
            Clause::Column(filter) => Some(&filter.operand.column),
            Clause::All(clauses) | Clause::Any(clauses) => clauses.iter().find_map(of_clause),
            Clause::Not(clause) => of_clause(clause),
        }
    }
    let selected = query.select.iter().find_map(|item| match item {
        SelectItem::Column(selected) => Some(selected.operand.as_ref()?.column.as_str()),
        SelectItem::Embed(embed) => Some(&embed.target),
        SelectItem::Everything => None,
    });
    let filtered = query.filters.first().map(|it| it.operand.column.as_str());
    let in_logic = query.logic.iter().find_map(of_clause);
    let ordered = query.order.first().map(|it| it.operand.column.as_str());
    let name = filtered.or(selected).or(in_logic).or(ordered);
    name.unwrap_or("count").to_owned()
}
