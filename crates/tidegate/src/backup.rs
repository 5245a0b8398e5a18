//! Backups: a folder with a file for each database, and a manifest with the digest of each.

mod embedded;
mod folder;
mod manifest;
mod restore;
mod server;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use tidegate_persistence::backup::{EmbeddedFiles, OWN_FILE};

use crate::app::App;
use crate::cli::backup::{Backup, Restore};
use crate::config::{DatabaseTarget, Settings};
use crate::running::AUDIT_UNPROTECTED;
use crate::{parts, terminal};

pub(crate) use self::embedded::make as back_up_files;
pub(crate) use self::folder::prune;

/// Where backups lie unless another place is named.
pub(crate) fn usual_folder(data_dir: &Path) -> PathBuf {
    data_dir.join("backups")
}

/// The form of the names of backups.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// What a backup of this time is called; names are in the order of the times.
pub(crate) fn stamp(now: DateTime<Utc>) -> String {
    now.format(STAMP).to_string()
}

/// What the folder is called with what a restore replaced.
fn replaced(now: DateTime<Utc>) -> String {
    format!("replaced-{}-{}", stamp(now), std::process::id())
}

/// `tidegate backup`
///
/// # Errors
/// What failed, for the terminal.
pub(crate) async fn back_up(
    settings: &Settings,
    app: &App,
    backup: Backup,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let target = backup
        .to
        .unwrap_or_else(|| usual_folder(&settings.data_dir).join(stamp(now)));
    match &settings.database.target {
        DatabaseTarget::Embedded => {
            let file = settings.data_dir.join(OWN_FILE);
            ensure!(
                file.exists(),
                "there is no embedded database {}",
                file.display()
            );
            let database = app.open_database(settings).await?;
            let files = parts::gateway(settings)?
                .files
                .context("the embedded database has files")?;
            let files = EmbeddedFiles::new(database.clone(), files);
            embedded::make(&files, &target, now).await?;
            database.close().await;
        }
        DatabaseTarget::Server(url) => server::make(settings, url, &target, now).await?,
    }
    terminal::line(format_args!("backed up to {}", target.display()));
    terminal::line(
        "auth.pepper and auth.jwt_secret are not in it: without the pepper no password and no \
         secret of a webhook can be used. Keep them elsewhere.",
    );
    Ok(())
}

/// `tidegate restore`
///
/// # Errors
/// What failed, for the terminal.
pub(crate) async fn restore(
    settings: &Settings,
    app: &App,
    restore: Restore,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let replace = restore.force && restore.yes;
    let from = restore.from;
    let manifest = manifest::Manifest::read(&from)?;
    manifest.verify(&from).await?;
    match &settings.database.target {
        DatabaseTarget::Embedded => {
            restore::files(&manifest, &from, &settings.data_dir, replace, now).await?;
        }
        DatabaseTarget::Server(url) => {
            let aside = settings.data_dir.join(replaced(now));
            let database = app.open_database(settings).await?;
            // A program that starts meanwhile waits, and finds what is whole.
            let lock = database.lock_schema().await?;
            server::restore(&manifest, &from, url, replace, &aside, now).await?;
            lock.release().await;
            if !database.protect_audit().await? {
                terminal::line(AUDIT_UNPROTECTED);
            }
            database.close().await;
        }
    }
    terminal::line(format_args!(
        "restored {} databases as they were at {}",
        manifest.files.len(),
        manifest.created_at.format("%Y-%m-%d %H:%M:%S UTC")
    ));
    Ok(())
}
