//! What stands in the rows of an answer: values, aggregates, related rows.

use std::sync::Arc;

use super::operand::{Target, cast_type, check_cast, exact};
use super::relation::Relation;
use super::statement::{MOST_TABLES, Purpose, Row, Statement, at, junction_join};
use crate::gateway::column_type::{ColumnType, TypeClass};
use crate::gateway::schema::Table;
use crate::query::ask::{
    Aggregate, Aggregated, Embed, JoinKind, JsonPath, JsonStep, Operand, SelectItem, Selected,
};
use crate::query::error::QueryError;
use crate::query::plan::{
    Child, ColumnRef, Join, Member, Node, Predicate, Scalar, ScalarKind, Select,
};

/// What the rows of a statement are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Those that are asked for.
    Rows,
    /// Those related to others.
    Related,
    /// Those that were just written, which have an order of their own.
    Written,
}

impl Statement<'_> {
    /// Ends the statement with what the rows show, their order and how many there are. Its select
    /// list has the key already, by which rows belong to others.
    pub(super) fn finish(
        mut self,
        row: &Row<'_>,
        joins: Vec<Join>,
        predicate: Predicate,
        what: What,
    ) -> Result<Node, QueryError> {
        if aggregates(row) {
            self.group = Some((0..self.columns.len()).collect());
        }
        let mut members = Vec::new();
        if row.depth == 0 && row.query.select.is_empty() {
            self.everything(row, &mut members)?;
        }
        self.show(row, &mut members)?;
        let most = self
            .planner
            .limits
            .max_rows
            .filter(|_| what != What::Written);
        let limit = match (row.query.limit, most) {
            (Some(limit), Some(most)) => Some(limit.min(most)),
            (limit, most) => limit.or(most),
        };
        let paged = limit.is_some() || row.query.offset > 0;
        let ended = match what {
            // Rows with related ones are read in parts, and none may be missed between two.
            What::Rows => paged || !self.children.is_empty(),
            What::Related => true,
            What::Written => false,
        };
        let order = self.order(row, ended)?;
        let select = Select {
            tables: self.tables,
            joins,
            predicate,
            columns: self.columns,
            group: self.group.map(|places| places.into_iter().collect()),
            order,
            limit,
            offset: row.query.offset,
        };
        Ok(Node {
            select,
            members,
            children: self.children,
        })
    }

    /// The place of a value in the select list.
    fn place(&mut self, value: Scalar) -> usize {
        match self.columns.iter().position(|old| *old == value) {
            Some(at) => at,
            None => {
                self.columns.push(value);
                self.columns.len() - 1
            }
        }
    }

    /// The same for a value that rows are grouped by, where they are.
    fn shown(&mut self, value: Scalar) -> usize {
        let at = self.place(value);
        if let Some(group) = &mut self.group {
            group.insert(at);
        }
        at
    }

    fn everything(&mut self, row: &Row<'_>, members: &mut Vec<Member>) -> Result<(), QueryError> {
        for (place, column) in row.table.columns.iter().enumerate() {
            let Some(value) = row.column(place) else {
                continue;
            };
            let target = Target { column, value };
            let column = self.plain(&target)?;
            let name = target.column.name.clone();
            push(
                members,
                Member::Value {
                    name,
                    column,
                    cast: None,
                },
            )?;
        }
        Ok(())
    }

    /// Adds the members of a row.
    fn show(&mut self, row: &Row<'_>, members: &mut Vec<Member>) -> Result<(), QueryError> {
        let mut embeds = row.embeds.iter();
        for item in &row.query.select {
            match item {
                SelectItem::Everything => self.everything(row, members)?,
                SelectItem::Column(selected) => {
                    let member = self.value(row, selected)?;
                    push(members, member)?;
                }
                SelectItem::Embed(_) => {
                    let Some(embedded) = embeds.next() else {
                        continue;
                    };
                    // `table()` shows nothing.
                    if embedded.embed.query.select.is_empty() {
                        continue;
                    }
                    match &embedded.one {
                        Some(one) => self.one(embedded.embed, one, members)?,
                        None => self.many(row, embedded.embed, &embedded.relation, members)?,
                    }
                }
            }
        }
        Ok(())
    }

    /// A related row, or what is lifted out of it.
    fn one(
        &mut self,
        embed: &Embed,
        row: &Row<'_>,
        members: &mut Vec<Member>,
    ) -> Result<(), QueryError> {
        if embed.spread {
            return self.show(row, members);
        }
        if aggregates(row) {
            return Err(QueryError::Unsupported {
                feature: "aggregates of a single related row (spread it with `...`)",
            });
        }
        let Some(present) = row.present else {
            return Ok(());
        };
        let present = self.shown(Scalar {
            kind: ScalarKind::Present(present),
            column_type: ColumnType::Boolean,
            nullable: false,
        });
        let mut inner = Vec::new();
        self.show(row, &mut inner)?;
        push(
            members,
            Member::Object {
                name: embed.name().to_owned(),
                present,
                members: inner,
            },
        )
    }

    /// Related rows, or arrays of what is lifted out of them.
    fn many(
        &mut self,
        row: &Row<'_>,
        embed: &Embed,
        relation: &Relation,
        members: &mut Vec<Member>,
    ) -> Result<(), QueryError> {
        if self.group.is_some() {
            return Err(QueryError::Unsupported {
                feature: "embeds of many rows beside aggregates",
            });
        }
        if self.children.len() >= MOST_TABLES {
            return Err(QueryError::TooMuch {
                message: format!(
                    "at most {MOST_TABLES} tables can be embedded; embed fewer of them in one request"
                ),
            });
        }
        let related = self.child(row, embed, relation)?;
        let child = self.children.len();
        if embed.spread {
            if related.node.select.group.is_some() {
                return Err(QueryError::Unsupported {
                    feature: "aggregates in a to-many spread",
                });
            }
            for (member, it) in related.node.members.iter().enumerate() {
                let name = it.name().to_owned();
                push(
                    members,
                    Member::Values {
                        name,
                        child,
                        member,
                    },
                )?;
            }
        } else {
            let name = embed.name().to_owned();
            push(members, Member::Array { name, child })?;
        }
        self.children.push(related);
        Ok(())
    }

    /// The statement of related rows, with the key by which they belong to `row`.
    fn child(
        &mut self,
        row: &Row<'_>,
        embed: &Embed,
        relation: &Relation,
    ) -> Result<Child, QueryError> {
        let mut inner = Statement::new(self.planner, self.schema);
        let source = inner.add(&relation.target)?;
        let mut joins = Vec::new();
        let (near, near_table) = match &relation.junction {
            None => (source, &relation.target),
            Some(junction) => {
                let between = inner.add(&junction.table)?;
                joins.push(junction_join(junction, between, source));
                (between, &junction.table)
            }
        };
        let (anchor, places) = (&relation.anchor, &relation.anchor_columns);
        let theirs = relation.origin.iter().map(|pair| pair.1);
        // Other values than whole numbers may be equal to a key without being the same, by a
        // collation say: then the key is what stands in the table that is referred to.
        let direct =
            all_integer(near_table, theirs.clone()) && all_integer(anchor, places.iter().copied());
        if direct {
            inner.columns = values(near_table, near, theirs);
        } else {
            let far = inner.add(anchor)?;
            joins.push(Join {
                source: far,
                kind: JoinKind::Inner,
                on: places
                    .iter()
                    .zip(theirs)
                    .map(|(ours, theirs)| (at(near, theirs), at(far, *ours)))
                    .collect(),
                predicate: Predicate::All(Vec::new()),
                joins: Vec::new(),
            });
            inner.columns = values(anchor, far, places.iter().copied());
        }
        let key = inner.columns.len();
        let (related, more, predicate) = inner.row(
            &relation.target,
            source,
            &embed.query,
            row.depth + 1,
            Purpose::Show,
        )?;
        joins.extend(more);
        let node = inner.finish(&related, joins, predicate, What::Related)?;
        let ours = relation.origin.iter().map(|pair| pair.0);
        let parent = ours
            .filter_map(|place| row.column(place))
            .map(|value| self.place(value))
            .collect();
        Ok(Child {
            parent,
            lone: node
                .select
                .group
                .as_ref()
                .is_some_and(|group| group.len() == key),
            node,
        })
    }

    fn value(&mut self, row: &Row<'_>, selected: &Selected) -> Result<Member, QueryError> {
        let cast = selected.cast.as_deref().map(cast_type).transpose()?;
        let alias = |name: &str| selected.alias.clone().unwrap_or_else(|| name.to_owned());
        let Some((function, operand, last)) = aggregate_of(row, selected) else {
            let Some(operand) = &selected.operand else {
                return Err(QueryError::Unsupported {
                    feature: "values without a column",
                });
            };
            let mut target = row.target(operand)?;
            let mut shown = None;
            if let Some(to) = cast {
                check_cast(target.value.column_type(), &to)?;
                if self.group.is_some() {
                    target.value = converted(target.value, to)?;
                } else {
                    shown = Some(to).filter(|to| to != target.value.column_type());
                }
            }
            return Ok(Member::Value {
                column: self.plain(&target)?,
                name: alias(name_of(operand)),
                cast: shown,
            });
        };
        if !self.planner.limits.aggregates {
            return Err(QueryError::AggregatesOff);
        }
        let of = match operand {
            Some(operand) => {
                let target = row.target(operand)?;
                Some(match cast {
                    Some(to) => {
                        check_cast(target.value.column_type(), &to)?;
                        converted(target.value, to)?
                    }
                    None => target.value,
                })
            }
            // Of a joined row: how often there is one.
            None => row.present.and_then(|at| row.column(at.column)),
        };
        let value = aggregate(function, of)?;
        let last = last.map(cast_type).transpose()?;
        if let Some(to) = &last {
            check_cast(value.column_type(), to)?;
        }
        let last = last.filter(|to| to != value.column_type());
        Ok(Member::Value {
            name: alias(function.word()),
            column: self.place(value),
            cast: last,
        })
    }

    /// The place of a value that is no aggregate.
    fn plain(&mut self, target: &Target<'_>) -> Result<usize, QueryError> {
        if self.group.is_some() {
            target.sortable("group by")?;
        }
        Ok(self.shown(target.value.clone()))
    }
}

/// The aggregate that is asked for: its function, of what, and the type it is converted to.
type Asked<'q> = (Aggregate, Option<&'q Operand>, Option<&'q str>);

fn aggregate_of<'q>(row: &Row<'_>, selected: &'q Selected) -> Option<Asked<'q>> {
    let operand = selected.operand.as_ref();
    if let Some(Aggregated { function, cast }) = &selected.aggregate {
        return Some((*function, operand, cast.as_deref()));
    }
    // `count` alone was how rows were counted before there was `count()`.
    let counts = operand.is_none_or(|it| {
        it.column == "count" && it.path.is_none() && row.table.column_index("count").is_none()
    });
    counts.then_some((Aggregate::Count, None, selected.cast.as_deref()))
}

/// Whether rows are grouped: there is an aggregate among their values, or among what is lifted
/// out of a related row.
fn aggregates(row: &Row<'_>) -> bool {
    let own = row.query.select.iter().any(|item| match item {
        SelectItem::Column(selected) => aggregate_of(row, selected).is_some(),
        _ => false,
    });
    let mut lifted = row.embeds.iter().filter(|it| it.embed.spread);
    own || lifted.any(|it| it.one.as_ref().is_some_and(aggregates))
}

/// An aggregate of values of a type.
fn aggregate(function: Aggregate, of: Option<Scalar>) -> Result<Scalar, QueryError> {
    let class = of.as_ref().map(|of| of.column_type().class());
    let unknown = || QueryError::Function {
        function: function.word(),
        column_type: of
            .as_ref()
            .map_or_else(String::new, |of| of.column_type().to_string()),
    };
    let column_type = match (function, class) {
        (Aggregate::Count, _) => ColumnType::Integer {
            bytes: 8,
            unsigned: false,
        },
        (Aggregate::Sum, Some(TypeClass::Integer)) => exact(0),
        (Aggregate::Sum, Some(TypeClass::Decimal)) => match of.as_ref().map(Scalar::column_type) {
            Some(ColumnType::Decimal { scale, .. }) => exact(*scale),
            _ => exact(30),
        },
        (Aggregate::Avg, Some(TypeClass::Integer | TypeClass::Decimal)) => exact(30),
        (Aggregate::Sum | Aggregate::Avg, Some(TypeClass::Float)) => {
            ColumnType::Double { unsigned: false }
        }
        (
            Aggregate::Min | Aggregate::Max,
            Some(
                TypeClass::Integer
                | TypeClass::Decimal
                | TypeClass::Float
                | TypeClass::Text
                | TypeClass::Temporal,
            ),
        ) => match &of {
            Some(of) => of.column_type().clone(),
            None => return Err(unknown()),
        },
        _ => return Err(unknown()),
    };
    Ok(Scalar {
        kind: ScalarKind::Aggregate(function, of.map(Box::new)),
        column_type,
        nullable: function != Aggregate::Count,
    })
}

/// A value that the engine converts. What it makes of a text that is no value of the type is no
/// error there but a zero, so texts stay texts.
fn converted(value: Scalar, to: ColumnType) -> Result<Scalar, QueryError> {
    if *value.column_type() == to {
        return Ok(value);
    }
    if value.column_type().class() == TypeClass::Text && to.class() != TypeClass::Text {
        return Err(QueryError::Unsupported {
            feature: "casts of texts to other types beside aggregates",
        });
    }
    Ok(Scalar {
        // A text may hold null where it is read as JSON.
        nullable: value.nullable() || to == ColumnType::Json,
        kind: ScalarKind::Cast(Box::new(value)),
        column_type: to,
    })
}

/// The name of a value without alias: the column's, or the last key on the way into its
/// document.
fn name_of(operand: &Operand) -> &str {
    let keys = operand.path.iter().flat_map(|JsonPath { steps, .. }| steps);
    let last = keys.rev().find_map(|step| match step {
        JsonStep::Key(key) => Some(key.as_str()),
        JsonStep::Index(_) => None,
    });
    last.unwrap_or(&operand.column)
}

/// Adds a member. The same value twice under one name is one member; anything else under a name
/// that is taken is a fault.
fn push(members: &mut Vec<Member>, new: Member) -> Result<(), QueryError> {
    match members.iter().find(|old| old.name() == new.name()) {
        None => {
            members.push(new);
            Ok(())
        }
        Some(old) if *old == new && matches!(new, Member::Value { .. }) => Ok(()),
        Some(_) => Err(QueryError::Duplicate {
            message: format!(
                "the name \"{}\" stands for two members of the answer; give one of them an alias",
                new.name()
            ),
        }),
    }
}

fn values(table: &Table, source: usize, places: impl Iterator<Item = usize>) -> Vec<Scalar> {
    places
        .filter_map(|place| {
            let column = table.columns.get(place)?;
            Some(Scalar::column(
                column,
                ColumnRef {
                    source,
                    column: place,
                },
            ))
        })
        .collect()
}

fn all_integer(table: &Arc<Table>, mut places: impl Iterator<Item = usize>) -> bool {
    places.all(|place| {
        table
            .columns
            .get(place)
            .is_some_and(|it| it.column_type.class() == TypeClass::Integer)
    })
}
