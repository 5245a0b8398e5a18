//! What the commands of the command line do.

use std::io::BufRead as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::Parser as _;
use tidegate_application::accounts::AccountInput;
use tidegate_domain::account::Role;
use tidegate_domain::secret::Secret;
use tidegate_domain::system::Clock as _;
use tidegate_persistence::database::Target;
use tidegate_persistence::stores::Stores;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::cli::inbox::Inbox;
use crate::cli::{Cli, Command, Config, CreateUser, Migrate, New, NewResource, Users};
use crate::config::{Profile, Settings, Sources};
use crate::generate::resource::Definition;
use crate::healthcheck::{self, Place};
use crate::listen::raise_open_files;
use crate::running::{AUDIT_UNPROTECTED, ensure_migrated};
use crate::wiring::wire;
use crate::{backup, generate, inbox, telemetry, terminal};

/// Reads the command line and carries it out, for Tidegate with what `app` adds to it; the
/// exit code of the program.
pub async fn main(app: App) -> ExitCode {
    match run(Cli::parse().into_command(), app).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::last_word(&error);
            ExitCode::FAILURE
        }
    }
}

/// Carries out a command.
///
/// # Errors
/// What failed, as a text for the terminal.
pub async fn run(command: Command, app: App) -> anyhow::Result<()> {
    match command {
        Command::Serve => serve(load()?, app).await,
        Command::Migrate(Migrate::Generate { name }) => {
            let path = generate::migration::generate(
                Path::new("."),
                &name,
                tidegate_auth::SystemClock.now(),
            )?;
            terminal::line(format_args!("wrote {} and registered it", path.display()));
            Ok(())
        }
        Command::Backup(to) => {
            let now = tidegate_auth::SystemClock.now();
            backup::back_up(&load()?, &app, to, now).await
        }
        Command::Restore(from) => {
            let now = tidegate_auth::SystemClock.now();
            backup::restore(&load()?, &app, from, now).await
        }
        Command::New(New::Resource(new)) => new_resource(&app, &new),
        Command::Migrate(migrate) => run_migrate(&load()?, &app, migrate).await,
        Command::Users(Users::Create(user)) => create_user(&load()?, &app, user).await,
        Command::Inbox(Inbox::Pull(pull)) => inbox::pull(*pull).await,
        Command::Inbox(Inbox::LegacyTables(action)) => {
            inbox::legacy_tables(&load()?, &app, action).await
        }
        Command::Config(Config::Check) => {
            Settings::check(&Sources::process())?;
            terminal::line("the settings are right");
            Ok(())
        }
        Command::Openapi => {
            let routes = app.table();
            let document = tidegate_http::openapi::document(
                routes.iter().map(AsRef::as_ref),
                "",
                env!("CARGO_PKG_VERSION"),
            );
            terminal::line(document.to_pretty_json()?);
            Ok(())
        }
        Command::Healthcheck { address, https } => {
            let place = match address {
                Some(address) => Place::Tcp { address, https },
                None => Place::of(&load()?.server).context("the settings name no address")?,
            };
            healthcheck::ask(place).await
        }
    }
}

fn load() -> anyhow::Result<Settings> {
    Ok(Settings::load(&Sources::process())?)
}

fn new_resource(app: &App, new: &NewResource) -> anyhow::Result<()> {
    let table = app.table();
    let segments = table
        .iter()
        .filter_map(|route| route.path.split('/').nth(1));
    let taken: Vec<String> = segments.map(str::to_owned).collect();
    let definition = Definition::parse(
        &new.plural,
        new.singular.as_deref(),
        new.owned,
        &new.fields,
        &taken,
    )?;
    let now = tidegate_auth::SystemClock.now();
    for path in generate::resource::generate(Path::new("."), &definition, now)? {
        terminal::line(format_args!("wrote {}", path.display()));
    }
    terminal::line(format_args!(
        "and registered it in five places; one of them is called {} (--singular says otherwise); `make test` tries it",
        definition.singular()
    ));
    Ok(())
}

async fn serve(settings: Settings, app: App) -> anyhow::Result<()> {
    let telemetry = telemetry::init(&settings.log, &settings.traces)?;
    raise_open_files();
    let running = app.start(settings).await?;
    running.places().iter().for_each(terminal::listening);
    if let Some(address) = running.metrics_address() {
        terminal::line(format_args!("Its metrics are at http://{address}/metrics"));
    }
    signalled().await?;
    tracing::info!("stopping: what was accepted is answered");
    running.shutdown();
    let outcome = running.wait().await;
    drop(telemetry);
    outcome
}

/// Waits for SIGTERM or SIGINT.
async fn signalled() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn run_migrate(settings: &Settings, app: &App, migrate: Migrate) -> anyhow::Result<()> {
    let database = app.open_database(settings).await?;
    let moved = match migrate {
        Migrate::Up { steps } => {
            database
                .migrate_up(&steps.map_or(Target::All, Target::Steps))
                .await?
        }
        Migrate::Down { to: Some(name), .. } => database.migrate_down(&Target::To(name)).await?,
        Migrate::Down { steps, to: None } => {
            database
                .migrate_down(&Target::Steps(steps.unwrap_or(1)))
                .await?
        }
        Migrate::Fresh { yes } => {
            ensure!(
                yes || settings.profile == Profile::Development,
                "this drops all accounts; outside the development profile say `tidegate migrate fresh --yes`"
            );
            database.migrate_fresh().await?;
            terminal::line("all tables are made anew");
            return Ok(());
        }
        Migrate::Status => {
            for migration in database.migrations().await? {
                terminal::line(format_args!(
                    "{} {}",
                    if migration.applied {
                        "applied"
                    } else {
                        "pending"
                    },
                    migration.name
                ));
            }
            return Ok(());
        }
        Migrate::Generate { .. } => bail!("this needs no database"),
    };
    for name in &moved {
        terminal::line(name);
    }
    if !database.audit_is_protected().await? {
        terminal::line(AUDIT_UNPROTECTED);
    }
    terminal::line(format_args!("{} migrations", moved.len()));
    database.close().await;
    Ok(())
}

async fn create_user(settings: &Settings, app: &App, user: CreateUser) -> anyhow::Result<()> {
    let password = if user.password_stdin {
        let mut line = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut line)
            .context("cannot read the password from standard input")?;
        Some(Secret::new(line.trim_end_matches(['\r', '\n'])))
    } else {
        None
    };
    let database = app.open_database(settings).await?;
    match settings.profile {
        Profile::Development => drop(database.migrate_up(&Target::All).await?),
        Profile::Production => ensure_migrated(&database).await?,
    }
    let services = wire(settings.clone(), Stores::new(database.clone()))?;
    let input = AccountInput {
        username: Some(user.username),
        email: user.email,
        password,
    };
    let role = if user.admin { Role::Admin } else { Role::User };
    let created = services
        .http
        .accounts
        .create_unattended(input, role)
        .await?;
    terminal::line(format_args!(
        "made the {} {} (id {})",
        role.name(),
        created.user.username.as_str(),
        created.user.id.0
    ));
    if let Some(password) = created.password {
        terminal::line(format_args!("password (shown once): {}", password.reveal()));
    }
    database.close().await;
    Ok(())
}
