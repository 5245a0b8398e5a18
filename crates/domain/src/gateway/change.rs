//! What clients may ask of a schema: new tables and changes of tables, in parsed form.
//! The DDL printers know only these types.

use super::column_type::ColumnType;
use super::name::{AccountHost, AccountName, DatabaseName, Identifier};
use super::schema::{DefaultValue, ReferentialAction};
use crate::secret::Secret;

/// A column to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDraft {
    /// Its name.
    pub name: Identifier,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its default; a literal is canonical for the type.
    pub default: Option<DefaultValue>,
    /// Whether the engine numbers the rows; the column then is the first of a key.
    pub auto_increment: bool,
    /// Whether no two rows may be equal in it.
    pub unique: bool,
    /// The comment; empty without one; at most 1,024 characters.
    pub comment: String,
}

/// An index to be made. Without a name the adapter chooses one: the columns joined with `_`
/// and `_idx` or `_key` behind, cut to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDraft {
    /// Its name.
    pub name: Option<Identifier>,
    /// The columns, one or more.
    pub columns: Vec<String>,
    /// Whether no two rows may be equal in them.
    pub unique: bool,
}

/// A foreign key to be made. Without a name the adapter chooses one: table, columns, `_fkey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKeyDraft {
    /// Its name.
    pub name: Option<Identifier>,
    /// The columns that refer, one or more.
    pub columns: Vec<String>,
    /// The table they refer to, in the same database.
    pub references: String,
    /// The columns they refer to; as many.
    pub referenced_columns: Vec<String>,
    /// When a parent is deleted.
    pub on_delete: ReferentialAction,
    /// When a parent's key changes.
    pub on_update: ReferentialAction,
}

/// A table to be made. All names inside were checked against each other
/// ([`TableDraft::check`](super::parse)): a key or index names columns of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDraft {
    /// Its name.
    pub name: Identifier,
    /// The columns, one or more.
    pub columns: Vec<ColumnDraft>,
    /// The primary key's columns; empty without a key.
    pub primary_key: Vec<String>,
    /// Indexes and unique keys.
    pub indexes: Vec<IndexDraft>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKeyDraft>,
    /// The comment; empty without one.
    pub comment: String,
}

/// A change of a table; what is empty stays. Applied in the order of the members' names here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableChange {
    /// Foreign keys to drop, by name.
    pub drop_foreign_keys: Vec<String>,
    /// Indexes to drop, by name.
    pub drop_indexes: Vec<String>,
    /// Columns to drop.
    pub drop_columns: Vec<String>,
    /// Columns to rename: from, to.
    pub rename_columns: Vec<(String, Identifier)>,
    /// Columns to define anew, by their (new) names.
    pub alter_columns: Vec<ColumnDraft>,
    /// Columns to add at the end.
    pub add_columns: Vec<ColumnDraft>,
    /// Indexes to add.
    pub add_indexes: Vec<IndexDraft>,
    /// Foreign keys to add.
    pub add_foreign_keys: Vec<ForeignKeyDraft>,
    /// The table's new name.
    pub rename: Option<Identifier>,
}

impl TableChange {
    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a database account may do in one database; the allow-list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// Everything below.
    All,
    /// Read rows.
    Select,
    /// Add rows.
    Insert,
    /// Change rows.
    Update,
    /// Delete rows.
    Delete,
    /// Make tables.
    Create,
    /// Drop tables.
    Drop,
    /// Change tables.
    Alter,
    /// Make and drop indexes.
    Index,
    /// Make foreign keys.
    References,
    /// Make views.
    CreateView,
    /// Read the definition of views.
    ShowView,
    /// Make temporary tables.
    CreateTemporaryTables,
    /// Lock tables.
    LockTables,
    /// Run routines.
    Execute,
    /// Make and change triggers.
    Trigger,
}

impl Privilege {
    /// All privileges, in the order of their declaration.
    pub const ALL: [Privilege; 16] = [
        Self::All,
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Create,
        Self::Drop,
        Self::Alter,
        Self::Index,
        Self::References,
        Self::CreateView,
        Self::ShowView,
        Self::CreateTemporaryTables,
        Self::LockTables,
        Self::Execute,
        Self::Trigger,
    ];

    /// The privilege in SQL's words.
    pub fn sql(self) -> &'static str {
        match self {
            Self::All => "ALL PRIVILEGES",
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Create => "CREATE",
            Self::Drop => "DROP",
            Self::Alter => "ALTER",
            Self::Index => "INDEX",
            Self::References => "REFERENCES",
            Self::CreateView => "CREATE VIEW",
            Self::ShowView => "SHOW VIEW",
            Self::CreateTemporaryTables => "CREATE TEMPORARY TABLES",
            Self::LockTables => "LOCK TABLES",
            Self::Execute => "EXECUTE",
            Self::Trigger => "TRIGGER",
        }
    }

    /// The privilege that SQL's words name, without case; `ALL` alone is `ALL PRIVILEGES`.
    pub fn from_sql(text: &str) -> Option<Self> {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.eq_ignore_ascii_case("ALL") {
            return Some(Self::All);
        }
        Self::ALL
            .into_iter()
            .find(|privilege| privilege.sql().eq_ignore_ascii_case(&words))
    }
}

/// A database account to be made.
#[derive(Debug, Clone)]
pub struct DatabaseUserDraft {
    /// Its name.
    pub username: AccountName,
    /// Where it may come from.
    pub host: AccountHost,
    /// Its password.
    pub password: Secret,
    /// What it may do in the database, one or more.
    pub privileges: Vec<Privilege>,
}

/// A database account with what it may do in one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUser {
    /// Its name.
    pub username: String,
    /// Where it may come from.
    pub host: String,
    /// What it may do there.
    pub privileges: Vec<Privilege>,
}

/// A database in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSummary {
    /// Its name.
    pub name: DatabaseName,
    /// How many tables and views it has.
    pub tables: u64,
    /// How many bytes data and indexes take, as the engine estimates.
    pub size_bytes: u64,
}
