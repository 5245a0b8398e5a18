//! TLS to a server that cannot be had as it is asked for. Time heals nothing there, so the start
//! ends with the reason instead of asking again.

use super::OpenError;

/// Why TLS was not established, if that is what a connection failed of.
pub(super) fn refusal(error: &sqlx::Error) -> Option<OpenError> {
    let cause = match error {
        sqlx::Error::Tls(cause) => cause.to_string(),
        // What goes wrong during the handshake is no matter of the network.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            error.to_string()
        }
        _ => return None,
    };
    Some(OpenError::Tls(format!(
        "{cause} (see the settings database.tls and database.tls_ca)"
    )))
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn only_a_handshake_is_a_matter_of_tls() {
        let io = |kind| refusal(&sqlx::Error::Io(Error::new(kind, "the reason")));
        for network in [ErrorKind::ConnectionRefused, ErrorKind::UnexpectedEof] {
            assert!(io(network).is_none());
        }
        let text = io(ErrorKind::InvalidData).map(|error| error.to_string());
        assert!(text.is_some_and(|text| text.contains("the reason")));
        assert!(refusal(&sqlx::Error::Tls("the reason".into())).is_some());
        assert!(refusal(&sqlx::Error::PoolTimedOut).is_none());
    }
}
