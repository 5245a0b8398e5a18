//! What a database holds, as discovered from the live engine.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::column_type::ColumnType;
use super::name::DatabaseName;

/// All tables and views of one database at one moment.
#[derive(Debug, Clone)]
pub struct DatabaseSchema {
    /// The database.
    pub name: DatabaseName,
    /// Its tables and views, by name. Hidden tables of Tidegate are left out.
    pub tables: Vec<Arc<Table>>,
    // For each of them the places of those whose foreign keys refer to it, ascending.
    referring: Vec<Vec<usize>>,
}

impl DatabaseSchema {
    /// A database with these tables, in any order.
    pub fn new(name: DatabaseName, mut tables: Vec<Arc<Table>>) -> Self {
        tables.sort_by(|one, other| one.name.cmp(&other.name));
        let mut schema = Self {
            name,
            tables,
            referring: Vec::new(),
        };
        let mut referring = vec![Vec::new(); schema.tables.len()];
        for (at, table) in schema.tables.iter().enumerate() {
            for key in &table.foreign_keys {
                let parent = schema.place(&key.references);
                let places = parent.and_then(|parent| referring.get_mut(parent));
                if let Some(places) = places.filter(|places| places.last() != Some(&at)) {
                    places.push(at);
                }
            }
        }
        schema.referring = referring;
        schema
    }

    /// The table or view with exactly this name.
    pub fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(self.place(name)?)
    }

    /// The places of the tables of which a foreign key belongs to one of these, or refers to it:
    /// in their order, each once.
    pub fn around<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
        let mut around = Vec::new();
        for at in names.into_iter().filter_map(|name| self.place(name)) {
            around.push(at);
            around.extend(self.referring.get(at).into_iter().flatten());
        }
        around.sort_unstable();
        around.dedup();
        around
    }

    fn place(&self, name: &str) -> Option<usize> {
        // Sorted by name, so that thousands of tables cost nothing here.
        self.tables
            .binary_search_by(|table| table.name.as_str().cmp(name))
            .ok()
    }
}

/// Whether rows live in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// A table.
    Table,
    /// A view.
    View,
}

/// A table or view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The database it stands in.
    pub database: DatabaseName,
    /// Its name.
    pub name: String,
    /// Table or view.
    pub kind: TableKind,
    /// Whether rows can be written (false for most views).
    pub writable: bool,
    /// The columns in their order.
    pub columns: Vec<Column>,
    /// The names of the primary key's columns, in the key's order; empty without a key.
    pub primary_key: Vec<String>,
    /// Indexes and unique keys, but for the primary key.
    pub indexes: Vec<Index>,
    /// Foreign keys of this table.
    pub foreign_keys: Vec<ForeignKey>,
    /// Check constraints, as the engine prints them, but for those Tidegate adds to enforce a type.
    pub checks: Vec<Check>,
    /// The comment; empty without one.
    pub comment: String,
    /// The engine's estimate of the number of rows, where it keeps one.
    pub row_estimate: Option<u64>,
}

impl Table {
    /// The place of the column with exactly this name.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The places of the columns that tell rows apart: the primary key's, or those of a unique
    /// key without null; empty where there is none.
    pub fn identity(&self) -> Vec<usize> {
        if !self.primary_key.is_empty() {
            return self.key_indexes();
        }
        let never_null = |names: &[String]| -> Option<Vec<usize>> {
            let place = |name: &String| {
                self.column_index(name)
                    .filter(|at| self.columns.get(*at).is_some_and(|it| !it.nullable))
            };
            names.iter().map(place).collect()
        };
        let unique = self
            .indexes
            .iter()
            .filter(|index| index.unique && !index.columns.is_empty());
        unique
            .filter_map(|index| never_null(&index.columns))
            .min_by_key(Vec::len)
            .unwrap_or_default()
    }

    /// The places of the primary key's columns.
    pub fn key_indexes(&self) -> Vec<usize> {
        self.primary_key
            .iter()
            .filter_map(|name| self.column_index(name))
            .collect()
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its logical type.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// What a row gets that does not name the column; `None` where there is no default.
    pub default: Option<DefaultValue>,
    /// Whether the engine numbers the rows.
    pub auto_increment: bool,
    /// Whether its values are computed; such a column cannot be written.
    pub generated: Option<Generated>,
    /// The comment; empty without one.
    pub comment: String,
    /// The character set and collation, where the engine has them (`None` elsewhere).
    pub collation: Option<String>,
    /// Of a view's column, the column that it shows as it is.
    pub base: Option<Box<BaseColumn>>,
}

/// The column of a table, or of another view, that a view shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseColumn {
    /// The table or view.
    pub table: String,
    /// The column.
    pub column: String,
    /// Whether the view is made of that table alone, so that none of its rows stands in it twice.
    pub alone: bool,
}

/// A computed column's expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Generated {
    /// The expression as the engine prints it.
    pub expression: String,
    /// Stored, or computed on reading.
    pub stored: bool,
}

/// A default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultValue {
    /// Explicitly null.
    Null,
    /// A constant, as canonical text of the column's type.
    Literal(String),
    /// The time of the insert, with as many digits of a second as the column has.
    CurrentTimestamp {
        /// Whether an update renews it (MySQL's `ON UPDATE CURRENT_TIMESTAMP`).
        on_update: bool,
    },
    /// An expression of the engine that Tidegate only shows.
    Expression(String),
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// The columns in the index's order; empty for an index over expressions.
    pub columns: Vec<String>,
    /// Whether no two rows may be equal in them.
    pub unique: bool,
}

/// What happens to children when the parent changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub enum ReferentialAction {
    /// The change is refused.
    #[serde(rename = "NO ACTION")]
    NoAction,
    /// The change is refused.
    #[serde(rename = "RESTRICT")]
    Restrict,
    /// The children follow.
    #[serde(rename = "CASCADE")]
    Cascade,
    /// The children's columns become null.
    #[serde(rename = "SET NULL")]
    SetNull,
    /// The children's columns get their default (SQLite only).
    #[serde(rename = "SET DEFAULT")]
    SetDefault,
}

impl ReferentialAction {
    /// The action in SQL's words.
    pub fn sql(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }

    /// The action that SQL's words name, without case.
    pub fn from_sql(text: &str) -> Option<Self> {
        [
            Self::NoAction,
            Self::Restrict,
            Self::Cascade,
            Self::SetNull,
            Self::SetDefault,
        ]
        .into_iter()
        .find(|action| action.sql().eq_ignore_ascii_case(text.trim()))
    }
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ForeignKey {
    /// The constraint's name; empty where the engine keeps none.
    pub name: String,
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table they refer to, in the same database.
    pub references: String,
    /// The columns they refer to, in the same order.
    pub referenced_columns: Vec<String>,
    /// When a parent is deleted.
    pub on_delete: ReferentialAction,
    /// When a parent's key changes.
    pub on_update: ReferentialAction,
}

/// A check constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// The constraint's name; empty where it has none.
    pub name: String,
    /// The condition as the engine prints it.
    pub expression: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, parents: &[&str]) -> Arc<Table> {
        let key = |parent: &&str| ForeignKey {
            name: String::new(),
            columns: vec!["of".to_owned()],
            references: (*parent).to_owned(),
            referenced_columns: vec!["id".to_owned()],
            on_delete: ReferentialAction::NoAction,
            on_update: ReferentialAction::NoAction,
        };
        Arc::new(Table {
            database: DatabaseName::new("d", "tidegate").unwrap(),
            name: name.to_owned(),
            kind: TableKind::Table,
            writable: true,
            columns: Vec::new(),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: parents.iter().map(key).collect(),
            checks: Vec::new(),
            comment: String::new(),
            row_estimate: None,
        })
    }

    #[test]
    fn around_a_table_is_who_refers_to_it() {
        let tables = vec![
            table("leaf", &["tree", "tree", "gone"]),
            table("tree", &["tree", "wood"]),
            table("wood", &[]),
            table("bird", &["leaf", "wood"]),
        ];
        let schema = DatabaseSchema::new(DatabaseName::new("d", "tidegate").unwrap(), tables);
        let around = |names: &[&str]| {
            let places = schema.around(names.iter().copied());
            let names = places.into_iter().map(|at| schema.tables[at].name.as_str());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(around(&["wood"]), "bird tree wood");
        assert_eq!(around(&["tree"]), "leaf tree");
        assert_eq!(around(&["bird", "bird"]), "bird");
        assert_eq!(around(&["bird", "tree"]), "bird leaf tree");
        assert_eq!(around(&["gone"]), "");
    }
}
