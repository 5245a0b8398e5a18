//! The adapters, made from the settings.

use std::sync::Arc;

use tidegate_auth::{BcryptHasher, JwtOptions, JwtTokens, KeyedDigest, SigningKey, XChaChaSealer};
use tidegate_http::app::HttpOptions;
use tidegate_migrations::Migrator;
use tidegate_persistence::database::{DatabaseOptions, OpenError};
use tidegate_persistence::gateway::open::{GatewayAdapters, GatewayOptions, open};

use crate::config::{DatabaseTarget, ErrorVerbosity, Origins, Settings};

fn url(settings: &Settings) -> Option<String> {
    match &settings.database.target {
        DatabaseTarget::Embedded => None,
        DatabaseTarget::Server(url) => Some(url.reveal().to_owned()),
    }
}

pub(crate) fn database_options(settings: &Settings, migrator: Migrator) -> DatabaseOptions {
    DatabaseOptions {
        max_connections: settings.database.max_connections,
        acquire_timeout: settings.database.acquire_timeout,
        idle_timeout: settings.database.idle_timeout,
        max_lifetime: settings.database.max_lifetime,
        migrator,
        ..DatabaseOptions::new(url(settings), &settings.data_dir)
    }
}

pub(crate) fn gateway(settings: &Settings) -> Result<GatewayAdapters, OpenError> {
    open(GatewayOptions {
        url: url(settings),
        data_dir: settings.data_dir.clone(),
        max_connections: settings.database.max_connections,
        acquire_timeout: settings.database.acquire_timeout,
        statement_timeout: settings.rest.statement_timeout,
        statements: settings.rest.functions.clone(),
    })
}

pub(crate) fn hasher(settings: &Settings) -> Arc<BcryptHasher> {
    let parallel = settings
        .auth
        .hashing_threads
        .or_else(|| {
            std::thread::available_parallelism()
                .ok()
                .map(std::num::NonZero::get)
        })
        .unwrap_or(1);
    Arc::new(BcryptHasher::new(
        &settings.auth.pepper,
        settings.auth.bcrypt_cost,
        parallel,
    ))
}

pub(crate) fn digest(settings: &Settings) -> Arc<KeyedDigest> {
    Arc::new(KeyedDigest::new(&settings.auth.pepper))
}

pub(crate) fn sealer(settings: &Settings) -> Arc<XChaChaSealer> {
    Arc::new(XChaChaSealer::for_webhooks(&settings.auth.pepper))
}

pub(crate) fn tokens(settings: &Settings) -> Arc<JwtTokens> {
    let auth = &settings.auth;
    let previous = auth
        .previous_jwt_secrets
        .iter()
        .map(|(id, key)| SigningKey::new(id.as_str(), key));
    Arc::new(JwtTokens::new(JwtOptions {
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
        current: SigningKey::new(auth.jwt_key_id.as_str(), &auth.jwt_secret),
        previous: previous.collect(),
    }))
}

pub(crate) fn http_options(settings: &Settings) -> HttpOptions {
    let server = &settings.server;
    HttpOptions {
        workers: server.workers,
        max_connections: server.max_connections,
        keep_alive: server.keep_alive,
        body_idle_timeout: server.body_idle_timeout,
        request_header_timeout: server.request_header_timeout,
        shutdown_timeout: server.shutdown_timeout,
        max_body_bytes: u64::try_from(server.max_body_bytes).unwrap_or(u64::MAX),
        max_import_bytes: server.max_import_bytes,
        max_message_bytes: settings.inbox.max_body_bytes,
        message_timeout: settings.inbox.body_timeout,
        max_url_bytes: server.max_url_bytes,
        trusted_proxies: server.trusted_proxies.clone(),
        public_url: server.public_url.clone(),
        cors_origins: match &settings.cors.origins {
            Origins::Any => vec!["*".to_owned()],
            Origins::Listed(origins) => origins.clone(),
        },
        limits_enabled: settings.limits.enabled,
        general_per_minute: settings.limits.general_per_minute.get(),
        credentials_per_minute: settings.limits.credentials_per_minute.get(),
        inbox_source_per_minute: settings.limits.inbox_source_per_minute.get(),
        inbox_owner_per_minute: settings.limits.inbox_owner_per_minute.get(),
        docs_public: settings.docs.public,
        require_if_match: settings.http.require_if_match,
        compression: settings.http.compression,
        tx_override: settings.rest.tx_override,
        brief_errors: settings.rest.error_verbosity == ErrorVerbosity::Minimal,
        server_timing: settings.rest.server_timing,
        describes_databases: settings.rest.openapi,
        static_dir: settings.static_dir.clone(),
        ..HttpOptions::default()
    }
}
