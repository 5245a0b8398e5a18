//! The gateway's adapters, put together for the engine that the settings name.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_domain::gateway::port::{DatabaseUsers, RowStore, SchemaCatalog, SchemaEditor};
use tidegate_domain::gateway::routine::RoutineStore;

use super::accounts::{MySqlAccounts, NoAccounts};
use super::catalog::Catalog;
use super::editor::Editor;
use super::mysql::routines::MySqlRoutines;
use super::mysql::rows::MySqlRows;
use super::pool::{MySqlPool, MySqlPoolOptions, SqliteFiles, SqliteFilesOptions};
use super::routines::statements::NamedStatement;
use super::sqlite::routines::SqliteRoutines;
use super::sqlite::rows::SqliteRows;
use crate::backup::GATEWAY_FOLDER;
use crate::database::{OpenError, parse_url};
use crate::measure::PoolStatus;

/// The name of Tidegate's own database where it is embedded.
const EMBEDDED_NAME: &str = "tidegate";

/// Where the gateway's databases are, and how they are reached.
#[derive(Clone)]
pub struct GatewayOptions {
    /// `mysql://user:password@host:port/database`, the database being Tidegate's own; `None`
    /// for files in `{data_dir}/databases`.
    pub url: Option<String>,
    /// Where the embedded databases lie.
    pub data_dir: PathBuf,
    /// The most connections to a server, or readers of one file.
    pub max_connections: u32,
    /// How long a call waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement about rows may take.
    pub statement_timeout: Option<Duration>,
    /// Statements that clients may call.
    pub statements: Vec<NamedStatement>,
}

/// The adapters of the gateway's ports.
pub struct GatewayAdapters {
    /// What databases hold.
    pub catalog: Arc<dyn SchemaCatalog>,
    /// Changes schemas.
    pub editor: Arc<dyn SchemaEditor>,
    /// Database accounts.
    pub users: Arc<dyn DatabaseUsers>,
    /// Rows.
    pub rows: Arc<dyn RowStore>,
    /// Routines.
    pub routines: Arc<dyn RoutineStore>,
    /// The files, where databases are embedded.
    pub files: Option<Arc<SqliteFiles>>,
    /// What the metrics ask for.
    pub gauges: GatewayGauges,
    /// The name of Tidegate's own database, which the gateway hides.
    pub own_name: String,
}

/// What of the gateway changes all the time and is looked at now and then.
#[derive(Clone)]
pub struct GatewayGauges {
    connections: Connections,
    catalog: Arc<Catalog>,
}

#[derive(Clone)]
enum Connections {
    Server(MySqlPool),
    Files(Arc<SqliteFiles>),
}

impl GatewayGauges {
    /// How many connections there are.
    pub fn pool_status(&self) -> PoolStatus {
        match &self.connections {
            Connections::Server(pool) => pool.status(),
            Connections::Files(files) => files.status(),
        }
    }

    /// How many databases the catalogue describes, and the age of the oldest description.
    pub fn catalogue(&self) -> (usize, Duration) {
        self.catalog.ages()
    }
}

/// Puts the adapters together. Nothing is connected before it is needed.
///
/// # Errors
/// A wrong URL.
pub fn open(options: GatewayOptions) -> Result<GatewayAdapters, OpenError> {
    match &options.url {
        Some(url) => {
            let (connect, own_name) = parse_url(url)?;
            let pool = MySqlPool::new(MySqlPoolOptions {
                connect,
                max_connections: usize::try_from(options.max_connections).unwrap_or(usize::MAX),
                acquire_timeout: options.acquire_timeout,
                statement_timeout: options.statement_timeout,
            });
            let catalog = Arc::new(Catalog::mysql(pool.clone(), own_name.clone()));
            Ok(GatewayAdapters {
                gauges: GatewayGauges {
                    connections: Connections::Server(pool.clone()),
                    catalog: catalog.clone(),
                },
                editor: Arc::new(Editor::mysql(pool.clone(), catalog.clone())),
                users: Arc::new(MySqlAccounts::new(pool.clone())),
                rows: Arc::new(MySqlRows::new(pool.clone(), &own_name)),
                routines: Arc::new(MySqlRoutines::new(pool, options.statements)),
                catalog,
                files: None,
                own_name,
            })
        }
        None => {
            let files = Arc::new(SqliteFiles::new(SqliteFilesOptions {
                directory: options.data_dir.join(GATEWAY_FOLDER),
                own_name: EMBEDDED_NAME.to_owned(),
                readers: usize::try_from(options.max_connections).unwrap_or(usize::MAX),
                acquire_timeout: options.acquire_timeout,
                statement_timeout: options.statement_timeout,
            }));
            let catalog = Arc::new(Catalog::sqlite(files.clone()));
            Ok(GatewayAdapters {
                gauges: GatewayGauges {
                    connections: Connections::Files(files.clone()),
                    catalog: catalog.clone(),
                },
                editor: Arc::new(Editor::sqlite(files.clone(), catalog.clone())),
                users: Arc::new(NoAccounts),
                rows: Arc::new(SqliteRows::new(files.clone())),
                routines: Arc::new(SqliteRoutines::new(files.clone(), options.statements)),
                catalog,
                files: Some(files),
                own_name: EMBEDDED_NAME.to_owned(),
            })
        }
    }
}
