//! A statement that is being put together: its tables with what joins them, and which rows.
//!
//! A to-one embed is a join; a to-many embed is a statement of its own (see [`super::show`]), and
//! here only the question whether it has rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::condition::{Embeds, conditions};
use super::operand::{self, Target};
use super::relation::{self, Relation};
use super::{Planner, column_at};
use crate::gateway::schema::{DatabaseSchema, Table};
use crate::query::ask::{Clause, Embed, JoinKind, Operand, Query, SelectItem};
use crate::query::error::QueryError;
use crate::query::plan::{Child, ColumnRef, Join, Predicate, Related, Scalar};

/// How many tables one statement may have, which is less than any engine takes; and how many
/// statements rows may need for what is embedded in them.
pub(super) const MOST_TABLES: usize = 50;

/// What rows are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be shown.
    Show,
    /// Only to be there.
    Find,
}

/// A statement that is being put together.
pub(super) struct Statement<'p> {
    pub(super) planner: &'p Planner,
    pub(super) schema: Option<&'p DatabaseSchema>,
    pub(super) tables: Vec<Arc<Table>>,
    pub(super) columns: Vec<Scalar>,
    /// What is grouped by, where there are aggregates.
    pub(super) group: Option<BTreeSet<usize>>,
    pub(super) children: Vec<Child>,
}

/// The rows of one of a statement's tables, and what is embedded in them.
pub(super) struct Row<'q> {
    pub(super) table: Arc<Table>,
    pub(super) source: usize,
    pub(super) query: &'q Query,
    pub(super) embeds: Vec<Embedded<'q>>,
    /// A column that is null only where a join found no row; `None` for the rows of the
    /// statement itself.
    pub(super) present: Option<ColumnRef>,
    pub(super) depth: usize,
}

/// An embed, resolved.
pub(super) struct Embedded<'q> {
    pub(super) embed: &'q Embed,
    pub(super) relation: Relation,
    /// The row that is joined, where there is at most one.
    pub(super) one: Option<Row<'q>>,
}

impl<'q> Row<'q> {
    /// What an operand is in this row. Where a join found none, all of it is null, whatever its
    /// table says.
    pub(super) fn target(&self, operand: &Operand) -> Result<Target<'_>, QueryError> {
        let mut target = operand::target(&self.table, self.source, operand)?;
        target.value.nullable |= self.present.is_some();
        Ok(target)
    }

    /// The value of a column in this row.
    pub(super) fn column(&self, place: usize) -> Option<Scalar> {
        let column = self.table.columns.get(place)?;
        let mut value = Scalar::column(column, at(self.source, place));
        value.nullable |= self.present.is_some();
        Some(value)
    }

    pub(super) fn embedded(&self, name: &str) -> Option<&Embedded<'q>> {
        self.embeds.iter().find(|it| it.embed.name() == name)
    }
}

impl<'p> Statement<'p> {
    pub(super) fn new(planner: &'p Planner, schema: Option<&'p DatabaseSchema>) -> Self {
        Self {
            planner,
            schema,
            tables: Vec::new(),
            columns: Vec::new(),
            group: None,
            children: Vec::new(),
        }
    }

    /// Takes a table into the statement.
    pub(super) fn add(&mut self, table: &Arc<Table>) -> Result<usize, QueryError> {
        if self.tables.len() >= MOST_TABLES {
            return Err(QueryError::TooMuch {
                message: format!(
                    "at most {MOST_TABLES} tables can be joined; embed fewer of them in one request"
                ),
            });
        }
        self.tables.push(Arc::clone(table));
        Ok(self.tables.len() - 1)
    }

    /// The rows of a table that a query asks for: what has to be joined to it, and which rows.
    pub(super) fn row<'q>(
        &mut self,
        table: &Arc<Table>,
        source: usize,
        query: &'q Query,
        depth: usize,
        purpose: Purpose,
    ) -> Result<(Row<'q>, Vec<Join>, Predicate), QueryError> {
        let mut row = Row {
            table: Arc::clone(table),
            source,
            query,
            embeds: Vec::new(),
            present: None,
            depth,
        };
        let mut joins = Vec::new();
        for item in &query.select {
            let SelectItem::Embed(embed) = item else {
                continue;
            };
            if purpose == Purpose::Find && !decides(query, embed) {
                continue;
            }
            let (embedded, join) = self.embed(&row, embed, purpose)?;
            joins.extend(join);
            row.embeds.push(embedded);
        }
        let mut embeds = Within {
            statement: self,
            row: &row,
        };
        let mut predicate = conditions(table, source, query, &mut embeds)?;
        for embedded in &row.embeds {
            if embedded.one.is_none() && embedded.embed.join == Some(JoinKind::Inner) {
                let exists = self.exists(&row, embedded)?;
                predicate = match predicate {
                    Predicate::All(mut parts) => {
                        parts.push(exists);
                        Predicate::All(parts)
                    }
                    other => Predicate::All(vec![other, exists]),
                };
            }
        }
        Ok((row, joins, predicate))
    }

    fn embed<'q>(
        &mut self,
        row: &Row<'q>,
        embed: &'q Embed,
        purpose: Purpose,
    ) -> Result<(Embedded<'q>, Option<Join>), QueryError> {
        let depth = row.depth + 1;
        let most = self.planner.limits.embed_depth;
        if depth > most {
            return Err(QueryError::TooMuch {
                message: format!(
                    "related rows can be embedded {most} deep; ask for deeper ones in a request of their own"
                ),
            });
        }
        let Some(schema) = self.schema else {
            return Err(QueryError::Unsupported {
                feature: "embedded resources here",
            });
        };
        let hint = embed.hint.as_deref();
        let relation = relation::find(schema, &row.table, &embed.target, hint)?;
        if !relation.is_to_one() {
            let embedded = Embedded {
                embed,
                relation,
                one: None,
            };
            return Ok((embedded, None));
        }
        let source = self.add(&relation.target)?;
        let query = &embed.query;
        let (mut one, joins, predicate) =
            self.row(&relation.target, source, query, depth, purpose)?;
        let on: Vec<_> = relation
            .origin
            .iter()
            .map(|(ours, theirs)| (at(row.source, *ours), at(source, *theirs)))
            .collect();
        // What has to be equal is not null.
        one.present = on.first().map(|pair| pair.1);
        let join = Join {
            source,
            kind: embed.join.unwrap_or(JoinKind::Left),
            on,
            predicate: if query.limit == Some(0) || query.offset > 0 {
                Predicate::Any(Vec::new())
            } else {
                predicate
            },
            joins,
        };
        let embedded = Embedded {
            embed,
            relation,
            one: Some(one),
        };
        Ok((embedded, Some(join)))
    }

    /// That an embed of many rows has one.
    fn exists(&mut self, row: &Row<'_>, embedded: &Embedded<'_>) -> Result<Predicate, QueryError> {
        let (relation, query) = (&embedded.relation, &embedded.embed.query);
        if query.offset > 0 {
            return Err(QueryError::Unsupported {
                feature: "offsets of embeds that decide which rows are there",
            });
        }
        let source = self.add(&relation.target)?;
        let mut joins = Vec::new();
        let near = match &relation.junction {
            None => source,
            Some(junction) => {
                let between = self.add(&junction.table)?;
                joins.push(junction_join(junction, between, source));
                between
            }
        };
        let on = relation
            .origin
            .iter()
            .map(|(ours, theirs)| (at(row.source, *ours), at(near, *theirs)))
            .collect();
        let target = &relation.target;
        let (_, more, predicate) = self.row(target, source, query, row.depth + 1, Purpose::Find)?;
        if query.limit == Some(0) {
            return Ok(Predicate::Any(Vec::new()));
        }
        joins.extend(more);
        Ok(Predicate::Exists(Box::new(Related {
            join: Join {
                source,
                kind: JoinKind::Inner,
                on,
                predicate,
                joins,
            },
        })))
    }
}

/// The junction, joined to the target.
pub(super) fn junction_join(junction: &relation::Junction, between: usize, target: usize) -> Join {
    Join {
        source: between,
        kind: JoinKind::Inner,
        on: junction
            .target
            .iter()
            .map(|(near, far)| (at(target, *far), at(between, *near)))
            .collect(),
        predicate: Predicate::All(Vec::new()),
        joins: Vec::new(),
    }
}

pub(super) fn at(source: usize, column: usize) -> ColumnRef {
    ColumnRef { source, column }
}

/// The embeds of a row, for its conditions.
struct Within<'s, 'p, 'r, 'q> {
    statement: &'s mut Statement<'p>,
    row: &'r Row<'q>,
}

impl Embeds for Within<'_, '_, '_, '_> {
    fn has(&self, name: &str) -> bool {
        self.row.embedded(name).is_some()
    }

    fn present(&mut self, name: &str) -> Result<Predicate, QueryError> {
        let Some(embedded) = self.row.embedded(name) else {
            return column_at(&self.row.table, name).map(|_| Predicate::Unknown);
        };
        match embedded.one.as_ref().and_then(|one| one.present) {
            Some(column) => Ok(Predicate::Present(column)),
            None => self.statement.exists(self.row, embedded),
        }
    }
}

/// Whether an embed decides which rows are there.
fn decides(query: &Query, embed: &Embed) -> bool {
    fn names(clause: &Clause, name: &str) -> bool {
        match clause {
            Clause::Column(filter) => filter.operand.column == name,
            Clause::All(clauses) | Clause::Any(clauses) => {
                clauses.iter().any(|clause| names(clause, name))
            }
            Clause::Not(clause) => names(clause, name),
        }
    }
    let name = embed.name();
    let mut filters = query.filters.iter().map(|filter| &filter.operand.column);
    embed.join == Some(JoinKind::Inner)
        || filters.any(|column| column == name)
        || query.logic.iter().any(|clause| names(clause, name))
}
