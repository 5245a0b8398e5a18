//! Texts to values, one function for each kind of value; an error says what is
//! wrong and what would be right.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    str::FromStr,
};

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use super::{DatabaseTarget, Secret};

/// What a database URL means. Messages never hold the URL: it has a password.
pub(super) fn database_target(url: Secret) -> Result<DatabaseTarget, String> {
    const FORM: &str = "mysql://user:password@host:port/name";
    let text = url.reveal();
    if text == "sqlite:" {
        return Ok(DatabaseTarget::Embedded);
    }
    if text.starts_with("sqlite:") {
        return Err("the embedded database lives in data_dir: write `sqlite:` alone".into());
    }
    let Some(rest) = text
        .strip_prefix("mysql://")
        .or_else(|| text.strip_prefix("mariadb://"))
    else {
        return Err(format!(
            "starts neither with mysql:// nor with mariadb://, nor is it `sqlite:`; wanted: {FORM}"
        ));
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let port_is_bad = match host.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port.parse::<u16>().is_err(),
        _ => false,
    };
    if host.is_empty() || host.starts_with(':') || port_is_bad {
        return Err(format!(
            "names no host, or a port that is none; wanted: {FORM}"
        ));
    }
    let name = path.split('?').next().unwrap_or_default();
    let mut letters = name.chars();
    let named = letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-'))
        && name.len() <= 64;
    if !named {
        return Err(format!(
            "names no database, or one with characters outside A-Z, a-z, 0-9, _, $ and -; wanted: {FORM}"
        ));
    }
    Ok(DatabaseTarget::Server(url))
}

/// `*`, or an origin as browsers send it.
pub(super) fn origin(t: &str) -> Result<String, String> {
    let host = t
        .strip_prefix("https://")
        .or_else(|| t.strip_prefix("http://"));
    let plain = host.is_some_and(|h| !h.is_empty() && !h.contains(['/', '?', '#', '@', '*']));
    if t == "*" || plain {
        Ok(t.to_owned())
    } else {
        Err(format!(
            "\"{t}\" is not *, nor an origin such as https://app.example.org (without a path)"
        ))
    }
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("\"{text}\" is not an IP address with a port, such as 127.0.0.1:8080 or [::]:8080")
    })
}

/// Octal permissions of a file.
pub(super) fn permissions(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if (3..=4).contains(&text.len()) && mode <= 0o777 => Ok(mode),
        _ => Err(format!(
            "\"{text}\" is not the octal permissions of a file, such as 0660"
        )),
    }
}

pub(super) fn public_url(text: &str) -> Result<String, String> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match host {
        Some(rest)
            if !rest.is_empty()
                && !rest.starts_with('/')
                && !rest.contains(['?', '#', '@', ' ']) =>
        {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(format!(
            "\"{text}\" is not a URL such as https://api.example.org"
        )),
    }
}

/// A network, or an address as the network of itself.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("\"{text}\" is not an address or a network such as 10.0.0.0/8"))
}

/// A bare word would be taken as the name of a part of the program, and a
/// mistyped level would silence the rest.
pub(super) fn log_level(text: &str) -> Result<String, String> {
    // The log knows of requests, not of the spans around them, which are for traces.
    if text.contains('[') {
        return Err(format!(
            "\"{text}\" chooses spans by brackets; only parts of the program can be chosen, as in info,tidegate_http=debug"
        ));
    }
    let known = |part: &str| {
        part.contains('=') || ["off", "error", "warn", "info", "debug", "trace"].contains(&part)
    };
    if text.split(',').all(|part| known(part.trim())) && crate::telemetry::filter(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "\"{text}\" is neither off, error, warn, info, debug or trace, nor a list such as info,tidegate_http=debug"
        ))
    }
}

/// The filter for a level that is given while the program runs. Statements and the spans around
/// them stay off: they may hold what is not for a log, and whoever may set the level over HTTP
/// need not be who reads it.
pub(crate) fn log_filter(text: &str) -> Result<EnvFilter, String> {
    log_level(text)?;
    let parts = ["sqlx", "sea_orm", "tidegate::trace"];
    if parts.iter().any(|part| text.contains(part)) {
        return Err(
            "statements and traces cannot be switched on while the program runs; log.level can \
             at its start"
                .to_owned(),
        );
    }
    crate::telemetry::filter(text).map_err(|error| error.to_string())
}

/// The base of a collector's address.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains([' ', '?', '#', '@']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(format!(
            "\"{text}\" is not the base of an OTLP address, such as http://127.0.0.1:4318"
        )),
    }
}

/// A part of a whole.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err(format!("\"{text}\" is not a number from 0 to 1")),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    filled(text).map(PathBuf::from)
}

pub(super) fn filled(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("is empty".into());
    }
    Ok(text.to_owned())
}

pub(super) fn count(text: &str) -> Result<NonZeroU32, String> {
    let number: u32 = whole(text, 1, u32::MAX)?;
    NonZeroU32::new(number).ok_or_else(|| "is 0".to_owned())
}

pub(super) fn whole<T: FromStr + PartialOrd + Display>(
    text: &str,
    least: T,
    most: T,
) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(format!(
            "\"{text}\" is not a whole number from {least} to {most}"
        )),
    }
}

pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            format!("\"{text}\" is not one of: {}", names.join(", "))
        })
}
