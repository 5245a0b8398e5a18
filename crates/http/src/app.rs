//! The application: its settings, its services, and the server around them.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::KeepAlive;
use actix_web::middleware::from_fn;
use actix_web::{App, Error, HttpServer, web};
use ipnet::IpNet;
use tidegate_application::accounts::Accounts;
use tidegate_application::auth::Authenticator;
use tidegate_application::gateway::Gateway;
use tidegate_application::routines::Routines;
use tidegate_application::rows::Rows;
use tidegate_application::versions::Versions;
use tidegate_domain::system::Randomness;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::drain::Leaving;
use crate::listeners::{Listeners, connected};
use crate::middleware::access_log::LoggedBody;
use crate::middleware::cors::Cors;
use crate::middleware::edge::{Around, Edge, edge};
use crate::middleware::gate::Gate;
use crate::middleware::limits::Limits;
use crate::middleware::measure::Measures;
use crate::openapi::document;
use crate::route::index::RouteIndex;
use crate::route::register::Dispatcher;
use crate::route::{RouteSpec, register};
use crate::routes::docs::Documentation;
use crate::routes::inbox::answers::Answers;
use crate::routes::receiver::Arriving;

/// How often clients that have become quiet are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// How long nothing is under way any more when a server that stops waits for no connection:
/// enough for the last bytes of an answer to leave.
const QUIET: Duration = Duration::from_secs(2);

/// The use cases that handlers call; `web::Data<Services>` in their arguments.
#[derive(Clone)]
pub struct Services {
    /// Checks credentials, makes and ends sessions.
    pub authenticator: Arc<Authenticator>,
    /// Users and their keys.
    pub accounts: Arc<Accounts>,
    /// API versions.
    pub versions: Arc<Versions>,
    /// Databases and tables.
    pub gateway: Arc<Gateway>,
    /// Rows of tables.
    pub rows: Arc<Rows>,
    /// Stored routines.
    pub routines: Arc<Routines>,
    /// Draws request ids.
    pub randomness: Arc<dyn Randomness>,
}

/// The settings of the HTTP layer.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// The product's version, shown at the root and in the documentation.
    pub version: &'static str,
    /// Threads that serve requests; `None`: one for each processor.
    pub workers: Option<usize>,
    /// Most connections open at a time.
    pub max_connections: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Within what time the head of a request must have arrived.
    pub request_header_timeout: Duration,
    /// How long the next piece of a body may take to arrive.
    pub body_idle_timeout: Duration,
    /// How long requests under way are given when the server stops.
    pub shutdown_timeout: Duration,
    /// Says when the server is about to stop.
    pub leaving: Leaving,
    /// The largest body, in bytes.
    pub max_body_bytes: u64,
    /// The largest streamed import, in bytes.
    pub max_import_bytes: u64,
    /// The largest message to a webhook, in bytes.
    pub max_message_bytes: u64,
    /// Within what time a message's body must have arrived.
    pub message_timeout: Duration,
    /// The longest path with query, in bytes.
    pub max_url_bytes: usize,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The base of links; `None`: from the request.
    pub public_url: Option<String>,
    /// The origins whose pages may call; `*` alone for all.
    pub cors_origins: Vec<String>,
    /// Whether requests are counted.
    pub limits_enabled: bool,
    /// Requests a minute and client under the general limit.
    pub general_per_minute: u32,
    /// Requests a minute and client under the strict limit.
    pub credentials_per_minute: u32,
    /// Messages a minute and sender.
    pub inbox_source_per_minute: u32,
    /// Messages a minute to all webhooks of a user.
    pub inbox_owner_per_minute: u32,
    /// Whether the documentation is open to everybody.
    pub docs_public: bool,
    /// Whether a change of a record must say by `If-Match` which one it means.
    pub require_if_match: bool,
    /// Whether answers are compressed for clients that ask for it.
    pub compression: bool,
    /// Whether clients of `/rest/` may choose how a transaction ends (`Prefer: tx=`).
    pub tx_override: bool,
    /// Whether errors below `/rest/` tell no more than their code and message.
    pub brief_errors: bool,
    /// Whether answers below `/rest/` tell what took how long.
    pub server_timing: bool,
    /// Whether databases are described below `/rest/`.
    pub describes_databases: bool,
    /// The folder whose files are served where no route is.
    pub static_dir: Option<PathBuf>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            workers: None,
            max_connections: 25_000,
            keep_alive: Duration::from_secs(75),
            request_header_timeout: Duration::from_secs(10),
            body_idle_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(30),
            leaving: Leaving::default(),
            max_body_bytes: 10 * 1024 * 1024,
            max_import_bytes: 1024 * 1024 * 1024,
            max_message_bytes: 5 * 1024 * 1024,
            message_timeout: Duration::from_secs(60),
            max_url_bytes: 16 * 1024,
            trusted_proxies: Vec::new(),
            public_url: None,
            cors_origins: vec!["*".to_owned()],
            limits_enabled: true,
            general_per_minute: 6000,
            credentials_per_minute: 30,
            inbox_source_per_minute: 6000,
            inbox_owner_per_minute: 60_000,
            docs_public: false,
            require_if_match: false,
            compression: true,
            tx_override: true,
            brief_errors: false,
            server_timing: false,
            describes_databases: true,
            static_dir: None,
        }
    }
}

/// Adds data to the application of a worker.
type AddData = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// Prepares the thread of a worker.
type EachWorker = Arc<dyn Fn() + Send + Sync>;

/// Routes beyond those that are always there, with what their handlers need.
#[derive(Clone, Default)]
pub struct Extension {
    routes: Vec<RouteSpec>,
    data: Vec<AddData>,
    workers: Vec<EachWorker>,
}

impl From<Vec<RouteSpec>> for Extension {
    fn from(routes: Vec<RouteSpec>) -> Self {
        Self {
            routes,
            ..Self::default()
        }
    }
}

impl Extension {
    /// Adds routes.
    pub fn routes(&mut self, routes: impl IntoIterator<Item = RouteSpec>) {
        self.routes.extend(routes);
    }

    /// Adds what handlers take as `web::Data<T>`.
    pub fn data<T: Send + Sync + 'static>(&mut self, data: Arc<T>) {
        let data = web::Data::from(data);
        self.data.push(Arc::new(move |config| {
            config.app_data(data.clone());
        }));
    }

    /// Does something on the thread of each worker, on whose runtime it is called, before the
    /// worker serves anything. It may be called more than once on the same thread.
    pub fn each_worker(&mut self, prepare: impl Fn() + Send + Sync + 'static) {
        self.workers.push(Arc::new(prepare));
    }
}

/// Everything that the workers share, made once. [`Layer::app`] makes a worker's own part.
#[derive(Clone)]
pub struct Layer {
    runtime: Handle,
    routes: Arc<[RouteSpec]>,
    limits: Arc<Limits>,
    options: web::Data<HttpOptions>,
    services: web::Data<Services>,
    edge: Arc<Edge>,
    cors: Arc<Cors>,
    gate: web::Data<Gate>,
    documentation: web::Data<Documentation>,
    arriving: web::Data<Arriving>,
    answers: web::Data<Answers>,
    data: Arc<[AddData]>,
    workers: Arc<[EachWorker]>,
}

impl Layer {
    /// The layer with all routes and those of an extension.
    ///
    /// # Errors
    /// When the OpenAPI document cannot be written.
    pub fn new(
        options: HttpOptions,
        services: Services,
        mut extension: Extension,
    ) -> io::Result<Self> {
        extension.routes(crate::routes::all());
        Self::with(options, services, extension)
    }

    /// The layer with the routes of an extension alone.
    ///
    /// # Errors
    /// As [`Layer::new`].
    pub fn with(
        options: HttpOptions,
        services: Services,
        extension: Extension,
    ) -> io::Result<Self> {
        let routes = register::sorted(extension.routes);
        let limits = Arc::new(Limits::new(&options));
        let server = options.public_url.as_deref().unwrap_or_default();
        let document = document(
            routes.iter().map(|route| route.info().as_ref()),
            server,
            options.version,
        );
        let documentation = Documentation::new(&document)?;
        let edge = Edge {
            index: Arc::new(RouteIndex::new(&routes)?),
            randomness: Arc::clone(&services.randomness),
            trusted_proxies: options.trusted_proxies.clone(),
            public_url: options.public_url.clone(),
            brief_errors: options.brief_errors,
            leaving: options.leaving.clone(),
            measures: Arc::new(Measures::new(&routes)),
        };
        let gate = Gate {
            limits: Arc::clone(&limits),
            max_url_bytes: options.max_url_bytes,
            authenticator: Arc::clone(&services.authenticator),
            versions: Arc::clone(&services.versions),
        };
        Ok(Self {
            runtime: Handle::try_current().map_err(io::Error::other)?,
            routes: routes.into(),
            limits,
            edge: Arc::new(edge),
            cors: Arc::new(Cors::new(&options.cors_origins)),
            gate: web::Data::new(gate),
            documentation: web::Data::new(documentation),
            arriving: web::Data::new(Arriving::new(options.max_message_bytes)),
            answers: web::Data::new(Answers::default()),
            data: extension.data.into(),
            workers: extension.workers.into(),
            options: web::Data::new(options),
            services: web::Data::new(services),
        })
    }

    /// The application of one worker.
    pub fn app(
        &self,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<LoggedBody>,
            Error = Error,
            InitError = (),
        > + use<>,
    > {
        self.workers.iter().for_each(|prepare| prepare());
        let data = Arc::clone(&self.data);
        let handlers = Dispatcher::new(Arc::clone(&self.edge.index), Arc::clone(&self.routes));
        let around = Rc::new(Around {
            edge: Arc::clone(&self.edge),
            cors: Arc::clone(&self.cors),
            gate: self.gate.clone(),
            options: self.options.clone(),
            runtime: self.runtime.clone(),
        });
        App::new()
            .app_data(self.options.clone())
            .app_data(self.services.clone())
            .app_data(self.gate.clone())
            .app_data(self.documentation.clone())
            .app_data(self.arriving.clone())
            .app_data(self.answers.clone())
            .configure(|config| data.iter().for_each(|add| add(config)))
            .default_service(handlers)
            // Boxed: actix would keep the whole of it with each connection, and move it about.
            .wrap(from_fn(move |request, next| {
                Box::pin(edge(Rc::clone(&around), request, next))
            }))
    }
}

/// Serves requests on `listeners` until `shutdown` is done and the requests under way
/// have been answered. Called within a tokio runtime, which everything lives on that handlers
/// open and that may be used elsewhere: a worker's own runtime ends with the worker.
///
/// # Errors
/// When the socket fails.
pub fn serve(
    listeners: impl Into<Listeners>,
    options: HttpOptions,
    services: Services,
    extension: Extension,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = io::Result<()>> + Send + 'static> {
    run(
        listeners,
        Layer::new(options, services, extension)?,
        shutdown,
    )
}

/// Serves a layer, as [`serve`].
///
/// # Errors
/// When the socket fails.
pub fn run(
    listeners: impl Into<Listeners>,
    layer: Layer,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<impl Future<Output = io::Result<()>> + Send + 'static> {
    let listeners = listeners.into();
    listeners.check()?;
    let measures = Arc::clone(&layer.edge.measures);
    let keeps_open = listeners.tls.is_some();
    let (closing, closed) = oneshot::channel();
    let shutdown = async move {
        shutdown.await;
        // Nobody listens where the server has ended by itself.
        let _ = closing.send(());
    };
    let options = Arc::clone(&layer.options);
    let limits = Arc::clone(&layer.limits);
    let workers = options
        .workers
        .map_or_else(processors, |workers| workers.clamp(1, 512));
    let connections = options.max_connections.div_ceil(workers).max(1);
    let mut server = HttpServer::new(move || layer.app())
        .workers(workers)
        .max_connections(connections)
        // Connections that never say what they want are counted like all others, and end soon.
        .max_connection_rate(connections)
        .tls_handshake_timeout(options.request_header_timeout)
        .on_connect(connected)
        .keep_alive(KeepAlive::Timeout(options.keep_alive))
        .client_request_timeout(options.request_header_timeout)
        .client_disconnect_timeout(Duration::from_secs(5))
        // Whoever hangs up while waiting for messages must not be handed any.
        .h1_allow_half_closed(false)
        .shutdown_timeout(options.shutdown_timeout.as_secs())
        .shutdown_signal(shutdown);
    server = match (listeners.tcp, listeners.tls) {
        (Some(tcp), Some(tls)) => server.listen_rustls_0_23(tcp, tls)?,
        (Some(tcp), None) => server.listen(tcp)?,
        (None, _) => server,
    };
    if let Some(unix) = listeners.unix {
        server = server.listen_uds(unix)?;
    }
    let server = server.run();
    let forget = async move {
        let mut interval = tokio::time::interval(FORGET_INTERVAL);
        loop {
            interval.tick().await;
            limits.forget_quiet();
        }
    };
    let quiet = async move {
        if closed.await.is_err() || !keeps_open {
            std::future::pending::<()>().await;
        }
        // The server waits for connections of HTTP/2 until their clients close them.
        let mut since = Instant::now();
        while since.elapsed() < QUIET {
            tokio::time::sleep(QUIET / 10).await;
            if measures.under_way() > 0 {
                since = Instant::now();
            }
        }
    };
    Ok(async move {
        tokio::select! {
            ended = server => ended,
            () = quiet => Ok(()),
            never = forget => never,
        }
    })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
