//! A backup of the embedded engine, made while it is used.

use std::path::Path;

use chrono::{DateTime, Utc};
use tidegate_persistence::backup::{EmbeddedFiles, GATEWAY_FOLDER, OWN_FILE};
use tidegate_persistence::engine::Engine;

use super::folder::Draft;
use super::manifest::Manifest;

/// Copies every file, each as it is at one moment; how many there are.
///
/// # Errors
/// A target that is there, a disk that is full, a file that cannot be read.
pub(crate) async fn make(
    files: &EmbeddedFiles,
    target: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let mut draft = Draft::begin(target)?;
    files.copy_own(&draft.place(OWN_FILE)?).await?;
    draft.add(OWN_FILE.to_owned(), None, None).await?;
    let mut count = 1;
    for name in files.names().await? {
        let path = format!("{GATEWAY_FOLDER}/{name}.db");
        if files.copy(&name, &draft.place(&path)?).await? {
            draft.add(path, Some(name.to_string()), None).await?;
            count += 1;
        }
    }
    draft.finish(|files| Manifest::new(Engine::Sqlite.name(), now, files))?;
    Ok(count)
}
