//! The secrets that the development profile makes for itself: written once to
//! the data folder, readable by their owner only, and the same ever after.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use tidegate_domain::{secret::Secret, system::Randomness as _};

use super::reader::{ConfigError, ConfigErrors};

const FILE: &str = "secrets.toml";

/// What the file holds.
pub(super) struct Secrets {
    pub(super) jwt_secret: Secret,
    pub(super) pepper: Secret,
}

/// Reads the file, or makes it first. Two programs that start together end up
/// with the same secrets: the file appears complete, and only once.
pub(super) fn secrets(data_dir: &Path) -> Result<Secrets, ConfigErrors> {
    let path = data_dir.join(FILE);
    let failed = |message: String| {
        ConfigErrors::from(ConfigError {
            key: "auth.jwt_secret, auth.pepper".into(),
            origin: Some(path.display().to_string()),
            message,
        })
    };
    let text = match fs::read_to_string(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            create(data_dir, &path).map_err(|e| failed(format!("cannot be made: {e}")))?;
            fs::read_to_string(&path)
        }
        read => read,
    }
    .map_err(|e| failed(format!("cannot be read: {e}")))?;
    owner_only(&path).map_err(|e| failed(format!("cannot be closed to others: {e}")))?;
    // The error of the parser would quote the line, and so the secret.
    let table: toml::Table = text.parse().map_err(|_| failed("is not TOML".into()))?;
    let get = |name: &str| match table.get(name).and_then(toml::Value::as_str) {
        Some(secret) if !secret.is_empty() => Ok(Secret::new(secret)),
        _ => Err(failed(format!(
            "holds no {name}. Removing the file makes new secrets, which ends every session and every password"
        ))),
    };
    Ok(Secrets {
        jwt_secret: get("jwt_secret")?,
        pepper: get("pepper")?,
    })
}

fn create(data_dir: &Path, path: &Path) -> io::Result<()> {
    create_folder(data_dir)?;
    let text = format!(
        "# Made at the first start in the development profile. Who has these can make\n\
         # tokens and test passwords; who loses them ends all sessions and passwords.\n\
         jwt_secret = \"{}\"\npepper = \"{}\"\n",
        random(),
        random()
    );
    // Under a name of its own until it is complete; the link then fails if
    // another program was faster, and that one's secrets count.
    let draft = data_dir.join(format!(".{FILE}.{}", random()));
    let linked = write_private(&draft, &text).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match linked {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => removed,
        other => other.and(removed),
    }
}

/// 43 letters and digits: 256 bits.
fn random() -> String {
    tidegate_auth::SystemRandom.alphanumeric(43)
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Takes back what a copy or an editor may have opened.
#[cfg(unix)]
fn owner_only(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn owner_only(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simultaneous_starts_get_the_same_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("deep/data");
        let made: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| secrets(&data).unwrap()))
                .collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert!(
            made.iter()
                .all(|m| m.jwt_secret == made[0].jwt_secret && m.pepper == made[0].pepper)
        );
        assert!(made[0].jwt_secret != made[0].pepper);
        assert_eq!(made[0].pepper.reveal().len(), 43);
        let names: Vec<_> = fs::read_dir(&data)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, [FILE]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_them() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        secrets(&data).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data.join(FILE)), 0o600);
        assert_eq!(mode(&data), 0o700);
        fs::set_permissions(data.join(FILE), fs::Permissions::from_mode(0o644)).unwrap();
        secrets(&data).unwrap();
        assert_eq!(mode(&data.join(FILE)), 0o600);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_shows_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["jwt_secret = \"topsecret", "jwt_secret = \"topsecret\""] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let message = secrets(folder.path()).err().unwrap().to_string();
            assert!(
                message.contains(FILE) && !message.contains("topsecret"),
                "{message}"
            );
        }
    }
}
