//! The ports that read and change schemas, on every engine: what goes in comes back.

mod changes;
mod databases;
mod defaults;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use tidegate_domain::error::{StoreError, ViolationKind};
use tidegate_domain::gateway::change::{
    ColumnDraft, DatabaseUserDraft, ForeignKeyDraft, IndexDraft, Privilege, TableChange, TableDraft,
};
use tidegate_domain::gateway::column_type::{ColumnType, LobSize};
use tidegate_domain::gateway::name::{AccountHost, AccountName, DatabaseName, Identifier};
use tidegate_domain::gateway::port::{DatabaseUsers, SchemaCatalog, SchemaEditor};
use tidegate_domain::gateway::schema::{
    DefaultValue, ForeignKey, Index, ReferentialAction, Table, TableKind,
};
use tidegate_domain::secret::Secret;
use tidegate_persistence::gateway::accounts::{MySqlAccounts, NoAccounts};
use tidegate_persistence::gateway::catalog::Catalog;
use tidegate_persistence::gateway::editor::Editor;
use tidegate_persistence::gateway::pool::{
    MySqlPool, MySqlPoolOptions, SqliteFiles, SqliteFilesOptions,
};

use crate::support::engines::{TestDatabase, TestEngine, unique_name};

/// The ports over one engine, with a database to work in.
struct Schemas {
    engine: TestEngine,
    room: TestDatabase,
    catalog: Arc<Catalog>,
    editor: Editor,
    users: Box<dyn DatabaseUsers>,
    files: Option<Arc<SqliteFiles>>,
    shop: DatabaseName,
}

impl Schemas {
    async fn new(engine: TestEngine) -> Self {
        let room = engine.create_database().await;
        let shop = DatabaseName::new(&room.gateway_name("shop"), "tidegate").unwrap();
        let (catalog, editor, users, files): (_, _, Box<dyn DatabaseUsers>, _) =
            match engine.server_url() {
                Some(url) => {
                    let pool = MySqlPool::new(MySqlPoolOptions {
                        connect: url.parse::<MySqlConnectOptions>().unwrap(),
                        max_connections: 4,
                        acquire_timeout: Duration::from_secs(10),
                        statement_timeout: None,
                    });
                    let catalog = Arc::new(Catalog::mysql(pool.clone(), "tidegate"));
                    let editor = Editor::mysql(pool.clone(), Arc::clone(&catalog));
                    (catalog, editor, Box::new(MySqlAccounts::new(pool)), None)
                }
                None => {
                    let files = Arc::new(SqliteFiles::new(SqliteFilesOptions {
                        directory: room.data_dir().join("databases"),
                        own_name: "tidegate".to_owned(),
                        readers: 2,
                        acquire_timeout: Duration::from_secs(10),
                        statement_timeout: None,
                    }));
                    let catalog = Arc::new(Catalog::sqlite(Arc::clone(&files)));
                    let editor = Editor::sqlite(Arc::clone(&files), Arc::clone(&catalog));
                    (catalog, editor, Box::new(NoAccounts), Some(files))
                }
            };
        editor.create_database(&shop).await.unwrap();
        Self {
            engine,
            room,
            catalog,
            editor,
            users,
            files,
            shop,
        }
    }

    /// Runs statements as somebody else would.
    async fn raw(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.files {
            Some(files) => {
                let mut lease = files
                    .get(&self.shop)
                    .await
                    .unwrap()
                    .unwrap()
                    .writer()
                    .await
                    .unwrap();
                let outcome = lease.execute(sqlx::raw_sql(sql)).await;
                lease.end(Ok(())).unwrap();
                outcome.map(drop)
            }
            None => self
                .server()
                .await
                .execute(sqlx::raw_sql(sql))
                .await
                .map(drop),
        }
    }

    /// The first column of the first row, as text.
    async fn value(&self, sql: &str) -> Option<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.files {
            Some(files) => {
                let mut lease = files
                    .get(&self.shop)
                    .await
                    .unwrap()
                    .unwrap()
                    .reader()
                    .await
                    .unwrap();
                let row = lease.fetch_one(sqlx::raw_sql(sql)).await;
                lease.end(row).unwrap().get_unchecked(0)
            }
            None => self
                .server()
                .await
                .fetch_one(sqlx::raw_sql(sql))
                .await
                .unwrap()
                .get_unchecked(0),
        }
    }

    async fn server(&self) -> MySqlConnection {
        let url = format!("{}/{}", self.engine.server_url().unwrap(), self.shop);
        url.parse::<MySqlConnectOptions>()
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    async fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.catalog
            .schema(&self.shop)
            .await
            .unwrap()
            .unwrap()
            .table(name)
            .cloned()
    }

    /// Makes a table, and checks that the catalogue, read anew, says the same of it.
    async fn create(&self, draft: &TableDraft) -> Arc<Table> {
        let made = self.editor.create_table(&self.shop, draft).await.unwrap();
        self.settled(&made).await
    }

    async fn alter(&self, table: &Table, change: TableChange) -> Result<Arc<Table>, StoreError> {
        let changed = self.editor.alter_table(table, &change).await?;
        Ok(self.settled(&changed).await)
    }

    async fn settled(&self, table: &Arc<Table>) -> Arc<Table> {
        let plain = |table: &Table| Table {
            row_estimate: None,
            ..table.clone()
        };
        assert_eq!(plain(&self.table(&table.name).await.unwrap()), plain(table));
        let schema = self.catalog.reload(&self.shop).await.unwrap().unwrap();
        assert_eq!(plain(schema.table(&table.name).unwrap()), plain(table));
        Arc::clone(table)
    }
}

fn id(name: &str) -> Identifier {
    Identifier::new(name).unwrap()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

fn column(name: &str, column_type: ColumnType) -> ColumnDraft {
    ColumnDraft {
        name: id(name),
        column_type,
        nullable: true,
        default: None,
        auto_increment: false,
        unique: false,
        comment: String::new(),
    }
}

fn required(name: &str, column_type: ColumnType) -> ColumnDraft {
    ColumnDraft {
        nullable: false,
        ..column(name, column_type)
    }
}

fn with_default(name: &str, column_type: ColumnType, default: &str) -> ColumnDraft {
    ColumnDraft {
        default: Some(DefaultValue::Literal(default.into())),
        ..column(name, column_type)
    }
}

fn table(name: &str, columns: Vec<ColumnDraft>, key: &[&str]) -> TableDraft {
    TableDraft {
        name: id(name),
        columns,
        primary_key: names(key),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        comment: String::new(),
    }
}

fn reference(columns: &[&str], references: &str, referenced: &[&str]) -> ForeignKeyDraft {
    ForeignKeyDraft {
        name: None,
        columns: names(columns),
        references: references.into(),
        referenced_columns: names(referenced),
        on_delete: ReferentialAction::NoAction,
        on_update: ReferentialAction::NoAction,
    }
}

fn index(name: Option<&str>, columns: &[&str], unique: bool) -> IndexDraft {
    IndexDraft {
        name: name.map(id),
        columns: names(columns),
        unique,
    }
}

const INT: ColumnType = ColumnType::Integer {
    bytes: 4,
    unsigned: false,
};
const UINT: ColumnType = ColumnType::Integer {
    bytes: 4,
    unsigned: true,
};
const ULONG: ColumnType = ColumnType::Integer {
    bytes: 8,
    unsigned: true,
};
const MONEY: ColumnType = ColumnType::Decimal {
    precision: 10,
    scale: 2,
    unsigned: false,
};
