//! Relationships between tables, found by their foreign keys, and which of them an embed means.

use std::sync::Arc;

use crate::gateway::schema::{Column, DatabaseSchema, ForeignKey, Table, TableKind};
use crate::query::error::{Candidate, QueryError};
use crate::query::similar::most_similar;

/// How many views may be made of each other.
const MOST_VIEWS: usize = 32;

/// How many rows stand on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cardinality {
    ManyToOne,
    OneToOne,
    OneToMany,
    ManyToMany,
}

impl Cardinality {
    fn words(self) -> &'static str {
        match self {
            Self::ManyToOne => "many-to-one",
            Self::OneToOne => "one-to-one",
            Self::OneToMany => "one-to-many",
            Self::ManyToMany => "many-to-many",
        }
    }
}

/// A way from the rows of one table, the origin, to those of another, the target.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) cardinality: Cardinality,
    pub(super) target: Arc<Table>,
    /// Columns that are equal: the origin's, and the target's or the junction's.
    pub(super) origin: Vec<(usize, usize)>,
    /// The table in between.
    pub(super) junction: Option<Junction>,
    /// The table whose columns the origin's are: itself, or what it is a view of.
    pub(super) anchor: Arc<Table>,
    /// The places there of the origin's columns.
    pub(super) anchor_columns: Vec<usize>,
    /// Whether the foreign key is the origin's.
    forward: bool,
    constraint: String,
}

/// A table whose foreign keys relate two others.
#[derive(Debug, Clone)]
pub(super) struct Junction {
    pub(super) table: Arc<Table>,
    /// Columns that are equal: the junction's and the target's.
    pub(super) target: Vec<(usize, usize)>,
    constraint: String,
}

impl Relation {
    /// Whether a row has at most one related row.
    pub(super) fn is_to_one(&self) -> bool {
        matches!(
            self.cardinality,
            Cardinality::ManyToOne | Cardinality::OneToOne
        )
    }

    /// Whether the one column of its foreign key, or the one that this refers to, is so named.
    fn has_column(&self, origin: &Table, name: &str) -> bool {
        let [(one, other)] = self.origin.as_slice() else {
            return false;
        };
        self.junction.is_none()
            && (is_column(origin, *one, name) || is_column(&self.target, *other, name))
    }

    fn is_junction(&self, name: &str) -> bool {
        self.junction
            .as_ref()
            .is_some_and(|junction| junction.table.name == name)
    }

    /// Whether an embed with this target and hint may mean it.
    fn fits(&self, origin: &Table, target: &str, hint: Option<&str>) -> bool {
        let named = self.target.name == target;
        let to_itself = self.target.name == origin.name;
        let is_constraint = |name: &str| self.junction.is_none() && self.constraint == name;
        match hint {
            // A foreign key of a table to itself is two relationships: the table's name stands
            // for the rows that refer to one, the column's for the row that it refers to.
            None if to_itself && named => !self.forward && self.junction.is_none(),
            None if to_itself => self.forward && self.leads(origin, target),
            None => named || is_constraint(target) || (self.forward && self.leads(origin, target)),
            Some(hint) if to_itself => {
                named
                    && (self.is_junction(hint)
                        || (!self.forward
                            && (is_constraint(hint) || self.has_foreign_column(hint)))
                        || self.junction_starts(hint))
            }
            Some(hint) => {
                named
                    && (is_constraint(hint)
                        || self.has_column(origin, hint)
                        || self.is_junction(hint))
            }
        }
    }

    /// Whether the origin's foreign key has this name, or this one column.
    fn leads(&self, origin: &Table, name: &str) -> bool {
        let single = match self.origin.as_slice() {
            [(one, _)] => is_column(origin, *one, name),
            _ => false,
        };
        self.junction.is_none() && (single || self.constraint == name)
    }

    /// Whether the target's foreign key has this one column.
    fn has_foreign_column(&self, name: &str) -> bool {
        match self.origin.as_slice() {
            [(_, other)] => self.junction.is_none() && is_column(&self.target, *other, name),
            _ => false,
        }
    }

    /// Whether the junction's foreign key to the origin is meant, which tells the two ways
    /// through a junction from a table to itself apart.
    fn junction_starts(&self, name: &str) -> bool {
        let Some(junction) = &self.junction else {
            return false;
        };
        let single = match self.origin.as_slice() {
            [(_, at)] => is_column(&junction.table, *at, name),
            _ => false,
        };
        single || self.constraint == name
    }

    /// How it is told among several.
    fn candidate(&self, origin: &Table) -> Candidate {
        let names = |table: &Table, places: Vec<usize>| {
            let names: Vec<&str> = places
                .into_iter()
                .filter_map(|at| table.columns.get(at).map(|column| column.name.as_str()))
                .collect();
            names.join(", ")
        };
        let ours: Vec<usize> = self.origin.iter().map(|pair| pair.0).collect();
        let theirs: Vec<usize> = self.origin.iter().map(|pair| pair.1).collect();
        let (relationship, hint) = match &self.junction {
            Some(junction) => {
                let table = &junction.table;
                let far = junction.target.iter().map(|pair| pair.0).collect();
                let text = format!(
                    "{} using {}({}) and {}({})",
                    table.name,
                    self.constraint,
                    names(table, theirs),
                    junction.constraint,
                    names(table, far),
                );
                (text, table.name.clone())
            }
            None => {
                let text = format!(
                    "{} using {}({}) and {}({})",
                    self.constraint,
                    origin.name,
                    names(origin, ours),
                    self.target.name,
                    names(&self.target, theirs),
                );
                (text, self.constraint.clone())
            }
        };
        Candidate {
            cardinality: self.cardinality.words(),
            embedding: format!("{} with {}", origin.name, self.target.name),
            relationship,
            choice: format!("{}!{hint}", self.target.name),
        }
    }
}

fn is_column(table: &Table, at: usize, name: &str) -> bool {
    table
        .columns
        .get(at)
        .is_some_and(|column| column.name == name)
}

/// The one relationship that an embed means.
pub(super) fn find(
    schema: &DatabaseSchema,
    origin: &Arc<Table>,
    target: &str,
    hint: Option<&str>,
) -> Result<Relation, QueryError> {
    let mut found = relations(schema, origin, schema.table(target));
    found.retain(|relation| relation.fits(origin, target, hint));
    match found.len() {
        0 => {
            let related = relations(schema, origin, None);
            let names = related.iter().map(|relation| relation.target.name.as_str());
            Err(QueryError::NoRelationship {
                database: schema.name.to_string(),
                origin: origin.name.clone(),
                target: target.to_owned(),
                hint: hint.map(Into::into),
                similar: most_similar(target, names)
                    .filter(|name| name != target)
                    .map(Into::into),
            })
        }
        1 => Ok(found.swap_remove(0)),
        _ => Err(QueryError::AmbiguousRelationship {
            origin: origin.name.clone(),
            target: target.to_owned(),
            candidates: found.iter().map(|it| it.candidate(origin)).collect(),
        }),
    }
}

/// All relationships of a table or view with tables, and with `wanted` where that is a view.
fn relations(
    schema: &DatabaseSchema,
    origin: &Arc<Table>,
    wanted: Option<&Arc<Table>>,
) -> Vec<Relation> {
    let mut found = Vec::new();
    let origin = Side::of(schema, origin);
    let view = wanted
        .filter(|table| table.kind == TableKind::View)
        .map(|table| Side::of(schema, table));
    // Nobody else's foreign keys begin or end here, however many tables there are.
    let around = schema.around(origin.bases());
    for child in around.into_iter().filter_map(|at| schema.tables.get(at)) {
        for key in &child.foreign_keys {
            let Some(parent) = schema.table(&key.references) else {
                continue;
            };
            // A key that is none, which SQLite and older servers take, relates nothing to one row.
            if !holds_key(parent, &key.referenced_columns) {
                continue;
            }
            let single = is_key(child, &key.columns);
            let sides = [(child, &key.columns), (parent, &key.referenced_columns)];
            for (forward, [near, far]) in [(true, sides), (false, [sides[1], sides[0]])] {
                let Some(ours) = origin.image(near.0, near.1) else {
                    continue;
                };
                let cardinality = match (single, forward) {
                    (true, _) => Cardinality::OneToOne,
                    (false, true) => Cardinality::ManyToOne,
                    (false, false) => Cardinality::OneToMany,
                };
                let to_one = cardinality != Cardinality::OneToMany;
                for (target, theirs) in ends(far.0, far.1, view.as_ref(), to_one) {
                    found.push(Relation {
                        cardinality,
                        target,
                        origin: ours.iter().copied().zip(theirs).collect(),
                        junction: None,
                        anchor: Arc::clone(near.0),
                        anchor_columns: places(near.0, near.1).unwrap_or_default(),
                        forward,
                        constraint: constraint(child, key),
                    });
                }
            }
        }
        through(schema, &origin, child, view.as_ref(), &mut found);
    }
    found
}

/// The relationships by a junction: two foreign keys, all of whose columns are in its primary
/// key.
fn through(
    schema: &DatabaseSchema,
    origin: &Side<'_>,
    junction: &Arc<Table>,
    view: Option<&Side<'_>>,
    found: &mut Vec<Relation>,
) {
    let in_key = |key: &&ForeignKey| {
        key.columns
            .iter()
            .all(|name| junction.primary_key.contains(name))
    };
    let keys: Vec<&ForeignKey> = junction.foreign_keys.iter().filter(in_key).collect();
    if keys.len() < 2 {
        return;
    }
    for (at, near) in keys.iter().enumerate() {
        let Some(anchor) = schema.table(&near.references) else {
            continue;
        };
        let ours = origin.image(anchor, &near.referenced_columns);
        let (Some(ours), Some(starts)) = (ours, places(junction, &near.columns)) else {
            continue;
        };
        for (_, far) in keys.iter().enumerate().filter(|(other, _)| *other != at) {
            let Some(end) = schema.table(&far.references) else {
                continue;
            };
            let Some(leaves) = places(junction, &far.columns) else {
                continue;
            };
            for (target, theirs) in ends(end, &far.referenced_columns, view, false) {
                found.push(Relation {
                    cardinality: Cardinality::ManyToMany,
                    target,
                    origin: ours.iter().copied().zip(starts.iter().copied()).collect(),
                    junction: Some(Junction {
                        table: Arc::clone(junction),
                        target: leaves.iter().copied().zip(theirs).collect(),
                        constraint: constraint(junction, far),
                    }),
                    anchor_columns: places(anchor, &near.referenced_columns).unwrap_or_default(),
                    anchor: Arc::clone(anchor),
                    forward: false,
                    constraint: constraint(junction, near),
                });
            }
        }
    }
}

/// A table, or a view with the columns of tables that its own are in the end.
struct Side<'a> {
    table: &'a Arc<Table>,
    roots: Vec<Option<(&'a str, &'a str, bool)>>,
}

impl<'a> Side<'a> {
    fn of(schema: &'a DatabaseSchema, table: &'a Arc<Table>) -> Self {
        let roots = match table.kind {
            TableKind::Table => Vec::new(),
            TableKind::View => table.columns.iter().map(|it| root(schema, it)).collect(),
        };
        Self { table, roots }
    }

    /// The tables whose columns its own are.
    fn bases(&self) -> impl Iterator<Item = &'a str> {
        let itself = (self.table.kind == TableKind::Table).then_some(self.table.name.as_str());
        let roots = self.roots.iter().flatten().map(|(table, ..)| *table);
        itself.into_iter().chain(roots)
    }

    /// The places of columns of `base`; `None` where it is neither this table nor one that the
    /// view is made of, or not all of them are there.
    fn image(&self, base: &Table, names: &[String]) -> Option<Vec<usize>> {
        if self.table.kind == TableKind::Table {
            return (self.table.name == base.name)
                .then(|| places(base, names))
                .flatten();
        }
        let place = |name: &String| {
            let mut roots = self.roots.iter();
            roots.position(|root| {
                root.is_some_and(|(table, column, _)| table == base.name && column == name)
            })
        };
        names.iter().map(place).collect()
    }

    /// Whether no row of a table stands in two rows of the view.
    fn is_alone(&self, places: &[usize]) -> bool {
        places
            .iter()
            .all(|at| matches!(self.roots.get(*at), Some(Some((_, _, true)))))
    }
}

/// The column of a table that a view's column is in the end, and whether the table's rows stand
/// in it at most once.
fn root<'a>(schema: &'a DatabaseSchema, column: &'a Column) -> Option<(&'a str, &'a str, bool)> {
    let mut column = column;
    let mut alone = true;
    // A view cannot be made of itself; the number only says so.
    for _ in 0..MOST_VIEWS {
        let base = column.base.as_deref()?;
        let table = schema.table(&base.table)?;
        alone &= base.alone;
        if table.kind == TableKind::Table {
            return Some((&table.name, &base.column, alone));
        }
        column = table.columns.get(table.column_index(&base.column)?)?;
    }
    None
}

/// What a relationship may lead to: the table, and the view where it shows all these columns;
/// where it leads to one row, only a view that cannot make two of it.
fn ends(
    table: &Arc<Table>,
    names: &[String],
    view: Option<&Side<'_>>,
    to_one: bool,
) -> Vec<(Arc<Table>, Vec<usize>)> {
    let mut found = Vec::with_capacity(2);
    found.extend(places(table, names).map(|places| (Arc::clone(table), places)));
    if let Some(view) = view {
        let places = view.image(table, names);
        let places = places.filter(|places| !to_one || view.is_alone(places));
        found.extend(places.map(|places| (Arc::clone(view.table), places)));
    }
    found
}

/// The places of columns that tell a table's or view's rows apart; empty where none do.
pub(super) fn row_key(schema: Option<&DatabaseSchema>, table: &Arc<Table>) -> Vec<usize> {
    let (Some(schema), TableKind::View) = (schema, table.kind) else {
        return table.key_indexes();
    };
    let side = Side::of(schema, table);
    let Some((of, _, true)) = side.roots.iter().flatten().next() else {
        return Vec::new();
    };
    let base = schema.table(of).filter(|it| !it.primary_key.is_empty());
    base.and_then(|base| side.image(base, &base.primary_key))
        .unwrap_or_default()
}

fn places(table: &Table, names: &[String]) -> Option<Vec<usize>> {
    names.iter().map(|name| table.column_index(name)).collect()
}

/// The keys of a table: its primary key and its unique ones.
fn keys(table: &Table) -> impl Iterator<Item = &[String]> {
    let unique = table.indexes.iter().filter(|index| index.unique);
    std::iter::once(table.primary_key.as_slice())
        .chain(unique.map(|index| index.columns.as_slice()))
        .filter(|key| !key.is_empty())
}

/// Whether exactly these columns are a key.
fn is_key(table: &Table, columns: &[String]) -> bool {
    keys(table)
        .any(|key| key.len() == columns.len() && key.iter().all(|column| columns.contains(column)))
}

/// Whether no two rows are equal in these columns.
fn holds_key(table: &Table, columns: &[String]) -> bool {
    keys(table).any(|key| key.iter().all(|column| columns.contains(column)))
}

/// The constraint's name, or, where it has none, the one that PostgreSQL would give it.
fn constraint(table: &Table, key: &ForeignKey) -> String {
    if key.name.is_empty() {
        format!("{}_{}_fkey", table.name, key.columns.join("_"))
    } else {
        key.name.clone()
    }
}
