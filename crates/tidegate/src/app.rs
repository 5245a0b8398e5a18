//! Tidegate as a library: the program with whatever a team adds to it. Tests and the `serve`
//! command share it.

use std::sync::Arc;

use tidegate_application::crud::Crud;
use tidegate_application::log_level::LogControl;
use tidegate_http::app::Extension;
use tidegate_http::resource;
use tidegate_http::route::{RouteInfo, RouteSpec};
use tidegate_migrations::{Migrator, Steps};
use tidegate_persistence::database::Database;
use tidegate_persistence::gateway::pool::settle;
use tidegate_persistence::measure;
use tidegate_persistence::resource::Record;
use tidegate_persistence::stores::Stores;

use crate::config::Settings;
use crate::monitor;
use crate::parts;
pub use crate::running::Running;
use crate::running::run;
use crate::telemetry::ProcessLog;
pub use crate::wiring::Wired;
use crate::wiring::wire;

/// Tidegate, and what a team adds to it: resources, routes, what their handlers need, and
/// steps of the schema.
///
/// ```no_run
/// use tidegate::app::App;
/// use tidegate::config::{Settings, Sources};
///
/// # async fn start() -> anyhow::Result<()> {
/// let settings = Settings::load(&Sources::process())?;
/// let running = App::default().start(settings).await?;
/// running.wait().await
/// # }
/// ```
pub struct App {
    routes: Vec<RouteSpec>,
    data: Vec<AddData>,
    migrator: Migrator,
}

type AddData = Box<dyn FnOnce(&Wired, &mut Extension) + Send>;

/// With the resources that Tidegate brings.
impl Default for App {
    fn default() -> Self {
        crate::resources::add(Self::bare())
    }
}

impl App {
    /// Without any resource: accounts, versions, databases with their rows, the webhook inbox and
    /// jobs only.
    pub fn bare() -> Self {
        Self {
            routes: Vec::new(),
            data: Vec::new(),
            migrator: Migrator::default(),
        }
        .routes(tidegate_http::routes::inbox_routes())
        .shared(|wired| Arc::clone(&wired.webhooks))
        .shared(|wired| Arc::clone(&wired.inbox))
        .routes(tidegate_http::routes::jobs::routes())
        .data(|wired| wired.jobs.clone())
        .routes(tidegate_http::routes::log_level::routes())
        .data(|wired| LogControl::new(Arc::new(ProcessLog), wired.audit.clone()))
        .routes(tidegate_http::routes::audit::routes())
        .data(|wired| wired.audit.clone())
    }

    /// Adds a resource with all its routes.
    #[must_use]
    pub fn resource<R: Record>(self) -> Self {
        self.routes(resource::routes::<R, Crud<R>>())
            .data(|wired| Crud::<R>::new(wired.crud_parts()))
    }

    /// Adds routes.
    #[must_use]
    pub fn routes(mut self, routes: impl IntoIterator<Item = RouteSpec>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Adds what handlers take as `web::Data<T>`; `make` gets the parts that are there.
    #[must_use]
    pub fn data<T: Send + Sync + 'static>(
        self,
        make: impl FnOnce(&Wired) -> T + Send + 'static,
    ) -> Self {
        self.shared(|wired| Arc::new(make(wired)))
    }

    /// The same for what somebody else holds as well.
    #[must_use]
    pub fn shared<T: Send + Sync + 'static>(
        mut self,
        share: impl FnOnce(&Wired) -> Arc<T> + Send + 'static,
    ) -> Self {
        self.data
            .push(Box::new(|wired, extension| extension.data(share(wired))));
        self
    }

    /// Adds steps of the schema, which come after Tidegate's own.
    #[must_use]
    pub fn migrations(mut self, steps: fn() -> Steps) -> Self {
        self.migrator.add(steps);
        self
    }

    /// All routes, in the order of matching.
    pub fn table(&self) -> Vec<Arc<RouteInfo>> {
        tidegate_http::route::table_with(self.routes.clone())
    }

    /// Opens the own database as the settings say.
    ///
    /// # Errors
    /// A database that refuses, whatever the patience.
    pub async fn open_database(&self, settings: &Settings) -> anyhow::Result<Database> {
        let options = parts::database_options(settings, self.migrator.clone());
        Ok(Database::open(options).await?)
    }

    /// Opens the database, migrates and makes the first administrator where the profile says
    /// so, and starts to listen. Problems that time can heal (a server that is away) do not
    /// fail the start.
    ///
    /// # Errors
    /// Settings that cannot work: an address in use, a database that refuses the account.
    pub async fn start(self, settings: Settings) -> anyhow::Result<Running> {
        monitor::install(settings.profile.name());
        measure::recorder_is_set();
        measure::log_slower_than(settings.log.slow_statement);
        let database = self.open_database(&settings).await?;
        let wired = wire(settings, Stores::new(database.clone()))?;
        let mut extension = Extension::default();
        extension.each_worker(settle);
        extension.routes(self.routes);
        for add in self.data {
            add(&wired, &mut extension);
        }
        run(database, wired, extension).await
    }
}
