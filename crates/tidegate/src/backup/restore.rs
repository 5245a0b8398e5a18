//! Putting a backup of the embedded engine back into a data folder.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use tidegate_persistence::backup::{GATEWAY_FOLDER, OWN_FILE, SeizedFolder};
use tidegate_persistence::engine::Engine;

use super::folder::{private_folder, sync_folder};
use super::manifest::{Entry, Manifest, digest};
use super::{replaced, stamp};
use crate::terminal;

/// Puts the files into place, where nobody has the folder open. What was there is moved aside.
///
/// # Errors
/// A backup of another engine; a folder that is in use, or that is not empty and not to be
/// replaced; a disk that is full.
pub(super) async fn files(
    manifest: &Manifest,
    from: &Path,
    data_dir: &Path,
    replace: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    ensure!(
        manifest.engine == Engine::Sqlite.name(),
        "the backup is one of {}: set database.url to a server of this kind",
        manifest.engine
    );
    let seized = SeizedFolder::seize(data_dir)
        .with_context(|| format!("cannot use {}", data_dir.display()))?
        .with_context(|| {
            format!(
                "a program has the database in {} open: stop it first",
                data_dir.display()
            )
        })?;
    let there = present(data_dir)?;
    ensure!(
        there.is_empty() || replace,
        "{} holds databases already; `--force --yes` replaces them",
        data_dir.display()
    );
    // Copied first, where it takes its time and can fail; the names are changed at the end.
    let waiting = data_dir.join(format!(".restore-{}", stamp(now)));
    let copied = copy_all(manifest, from, &waiting).await;
    if let Err(error) = copied {
        drop(fs::remove_dir_all(&waiting));
        return Err(error);
    }
    seized.begin()?;
    if !there.is_empty() {
        let aside = data_dir.join(replaced(now));
        private_folder(&aside)?;
        for path in &there {
            let name = path.file_name().context("a file has a name")?;
            fs::rename(path, aside.join(name))?;
        }
        sync_folder(&aside)?;
        terminal::line(format_args!(
            "what was there is now in {}: remove it when you are sure",
            aside.display()
        ));
    }
    for name in [GATEWAY_FOLDER, OWN_FILE] {
        if waiting.join(name).exists() {
            fs::rename(waiting.join(name), data_dir.join(name))?;
        }
    }
    fs::remove_dir_all(&waiting)?;
    seized.finish()?;
    Ok(())
}

/// The own database with its log, and the folder of the gateway's, where they are. A database
/// without any content, as a program leaves it that was told to do nothing, is one all the same.
fn present(data_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for suffix in ["", "-wal", "-shm"] {
        let path = data_dir.join(format!("{OWN_FILE}{suffix}"));
        if path.try_exists()? {
            found.push(path);
        }
    }
    let gateway = data_dir.join(GATEWAY_FOLDER);
    if gateway.try_exists()? {
        found.push(gateway);
    }
    Ok(found)
}

async fn copy_all(manifest: &Manifest, from: &Path, to: &Path) -> anyhow::Result<()> {
    private_folder(to)?;
    for entry in &manifest.files {
        let target = place(entry, to)?;
        if let Some(folder) = target.parent() {
            private_folder(folder)?;
        }
        let source = from.join(&entry.path);
        let copy = {
            let target = target.clone();
            tokio::task::spawn_blocking(move || copy_private(&source, &target))
        };
        copy.await?
            .with_context(|| format!("cannot write {}", target.display()))?;
        let (_, sha256) = digest(target.clone()).await?;
        ensure!(
            sha256 == entry.sha256,
            "{} was not written as it is in the backup",
            target.display()
        );
    }
    for folder in [to.join(GATEWAY_FOLDER), to.to_owned()] {
        if folder.exists() {
            sync_folder(&folder)?;
        }
    }
    Ok(())
}

/// Where a file belongs: two places are known, whatever else a manifest says.
fn place(entry: &Entry, to: &Path) -> anyhow::Result<PathBuf> {
    let Some(name) = &entry.database else {
        return Ok(to.join(OWN_FILE));
    };
    let harmful = |c: char| c.is_control() || matches!(c, '/' | '\\' | '.' | ':');
    ensure!(
        !name.is_empty() && !name.contains(harmful),
        "the backup names a database that cannot be one"
    );
    Ok(to.join(GATEWAY_FOLDER).join(format!("{name}.db")))
}

fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut target = options.open(to)?;
    io::copy(&mut File::open(from)?, &mut target)?;
    target.sync_all()
}
