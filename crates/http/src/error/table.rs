//! The status table: what each kind of error of the layers below is to a client, and
//! below `/rest/` to a client of PostgREST (status, SQLSTATE or `PGRST` code).

use actix_web::http::StatusCode;
use actix_web::http::header::ALLOW;
use tidegate_application::error::{AppError, Unauthenticated};
use tidegate_domain::error::{
    FieldError, InvalidInput, Rejection, RejectionKind, StoreError, Violation, ViolationKind,
    escape_pointer,
};
use tidegate_domain::permission::Denied;
use tidegate_domain::query::error::{QueryError, ValueFault};
use tidegate_domain::session::TokenError;

use crate::error::ApiError;

/// Seconds after which a client may ask again while the database is away.
const RETRY_SECONDS: u64 = 2;

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Invalid(input) => Self::invalid(input),
            AppError::Unauthenticated(reason) => unauthenticated(&reason),
            AppError::Denied(Denied) => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "Unauthorised access")
            }
            AppError::NotFound(detail) => Self::not_found(detail),
            AppError::Conflict { code, detail } => Self::new(StatusCode::CONFLICT, code, detail),
            AppError::TooManyAttempts { retry_after } => {
                let detail = format!(
                    "Too many failed attempts to sign in; try again in {retry_after} seconds"
                );
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail)
                    .retry_after(retry_after)
            }
            AppError::Precondition => Self::new(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                error.to_string(),
            ),
            AppError::Signature(verdict) => Self::new(
                StatusCode::UNAUTHORIZED,
                format!("signature_{verdict}"),
                error.to_string(),
            ),
            AppError::InProgress => Self::new(
                StatusCode::CONFLICT,
                "request_in_progress",
                error.to_string(),
            )
            .retry_after(1),
            AppError::KeyReused => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                error.to_string(),
            )
            .rest_status(StatusCode::UNPROCESSABLE_ENTITY),
            AppError::Query(error) => query(error),
            AppError::Store(error) => store(error),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        AppError::from(error).into()
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        AppError::Query(error).into()
    }
}

impl From<InvalidInput> for ApiError {
    fn from(error: InvalidInput) -> Self {
        AppError::Invalid(error).into()
    }
}

impl From<Denied> for ApiError {
    fn from(error: Denied) -> Self {
        AppError::Denied(error).into()
    }
}

impl From<Unauthenticated> for ApiError {
    fn from(error: Unauthenticated) -> Self {
        AppError::Unauthenticated(error).into()
    }
}

fn unauthenticated(reason: &Unauthenticated) -> ApiError {
    let (code, rest_code) = match reason {
        Unauthenticated::Missing => ("not_authenticated", "PGRST302"),
        Unauthenticated::Credentials => ("invalid_credentials", "PGRST301"),
        Unauthenticated::ApiKey => ("invalid_api_key", "PGRST301"),
        Unauthenticated::Token(TokenError::Invalid) => ("invalid_token", "PGRST301"),
        Unauthenticated::Token(TokenError::Expired) => ("token_expired", "PGRST303"),
        Unauthenticated::Token(TokenError::Ended) => ("session_ended", "PGRST303"),
        Unauthenticated::Refresh => ("invalid_refresh_token", "PGRST301"),
    };
    let error =
        ApiError::new(StatusCode::UNAUTHORIZED, code, reason.to_string()).rest_code(rest_code);
    match reason {
        Unauthenticated::Token(fault) => error.bearer_fault(fault.to_string()),
        _ => error,
    }
}

fn unprocessable(code: &'static str, detail: String, column: Option<&str>) -> ApiError {
    let error = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
        .rest_status(StatusCode::BAD_REQUEST);
    match column {
        Some(column) => error.pointer(format!("/{}", escape_pointer(column))),
        None => error,
    }
}

fn query(error: QueryError) -> ApiError {
    let message = error.to_string();
    match error {
        QueryError::UnknownTable { similar, .. } => suggest(
            ApiError::new(StatusCode::NOT_FOUND, "unknown_table", message).rest_code("PGRST205"),
            "table",
            similar,
        ),
        QueryError::UnknownColumn {
            column, similar, ..
        } => suggest(
            unprocessable("unknown_column", message, Some(&column)).rest_code("42703"),
            "column",
            similar,
        ),
        QueryError::UnknownPayloadColumn {
            column, similar, ..
        } => suggest(
            unprocessable("unknown_column", message, Some(&column)).rest_code("PGRST204"),
            "column",
            similar,
        ),
        QueryError::Operator { column, .. } => {
            unprocessable("operator_mismatch", message, Some(&column)).rest_code("42883")
        }
        QueryError::Value { column, kind, .. } => {
            let code = match kind {
                ValueFault::Malformed => "22P02",
                ValueFault::MalformedTime => "22007",
                ValueFault::OutOfRange => "22003",
                ValueFault::TooLong => "22001",
                ValueFault::Null => "23502",
            };
            unprocessable("invalid_value", message, Some(&column)).rest_code(code)
        }
        QueryError::Generated { column } => {
            unprocessable("generated_column", message, Some(&column)).rest_code("428C9")
        }
        // The view is there and can be read: below /rest/ it is the method that does not
        // fit. Elsewhere the table is named in the body.
        QueryError::ReadOnly { .. } => unprocessable("read_only", message, None)
            .rest_status(StatusCode::METHOD_NOT_ALLOWED)
            .header(ALLOW, "OPTIONS,GET,HEAD")
            .rest_code("25006"),
        QueryError::FullTable { .. } => unprocessable("full_table", message, None)
            .rest_code("21000")
            .hint("Name the rows by a filter"),
        QueryError::Body { .. } => {
            unprocessable("invalid_body", message, None).rest_code("PGRST102")
        }
        QueryError::Duplicate { .. } => {
            unprocessable("duplicate_column", message, None).rest_code("42701")
        }
    }
}

fn suggest(error: ApiError, kind: &str, similar: Option<String>) -> ApiError {
    match similar {
        Some(name) => error.hint(format!("Perhaps you meant the {kind} `{name}`")),
        None => error,
    }
}

fn store(error: StoreError) -> ApiError {
    match error {
        StoreError::Unavailable(cause) => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The database is not available at the moment; try again",
        )
        .rest_code("PGRST001")
        .retry_after(RETRY_SECONDS)
        .cause(cause),
        StoreError::Constraint(violation) => constraint(&violation),
        // PostgREST answers 57014 with 500; a gateway that waited in vain is a 504.
        StoreError::Timeout(cause) => ApiError::new(
            StatusCode::GATEWAY_TIMEOUT,
            "statement_timeout",
            "The statement took longer than it may; ask for less at a time",
        )
        .rest_status(StatusCode::INTERNAL_SERVER_ERROR)
        .rest_code("57014")
        .cause(cause),
        StoreError::Value(rejection) => rejected(rejection),
        StoreError::Missing { kind } => {
            let error = ApiError::not_found(format!("The {kind} does not exist"));
            match kind {
                "table" => error.rest_code("42P01"),
                "column" => error.rest_code("42703").rest_status(StatusCode::BAD_REQUEST),
                _ => error,
            }
        }
        StoreError::Exists { kind } => ApiError::new(
            StatusCode::CONFLICT,
            format!("{kind}_exists"),
            format!("The {kind} exists already"),
        )
        .rest_code("42P07"),
        StoreError::Unsupported(detail) => {
            ApiError::new(StatusCode::NOT_IMPLEMENTED, "not_supported", detail)
                .rest_code("0A000")
        }
        StoreError::Denied(cause) => ApiError::new(
            StatusCode::FORBIDDEN,
            "database_denied",
            "The server's own database account may not do this; its administrator has to grant it the right",
        )
        .rest_code("42501")
        .cause(cause),
        StoreError::Input(error) => query(error),
        StoreError::Internal(cause) => ApiError::internal(cause),
    }
}

fn constraint(violation: &Violation) -> ApiError {
    let name = &violation.name;
    let named = if name.is_empty() {
        String::new()
    } else {
        format!(" ({name})")
    };
    match violation.kind {
        ViolationKind::Unique => ApiError::new(
            StatusCode::CONFLICT,
            "duplicate_key",
            format!("A record with this key exists already{named}"),
        )
        .rest_code("23505")
        .rest_message(format!(
            r#"duplicate key value violates unique constraint "{name}""#
        )),
        ViolationKind::ForeignKeyParent => ApiError::new(
            StatusCode::CONFLICT,
            "missing_parent",
            format!("The record refers to one that does not exist{named}"),
        )
        .rest_code("23503")
        .rest_message(format!(
            r#"insert or update violates foreign key constraint "{name}""#
        ))
        .details("The key is not present in the table that is referred to"),
        ViolationKind::ForeignKeyChild => ApiError::new(
            StatusCode::CONFLICT,
            "still_referenced",
            format!("Other records refer to this one{named}; change or delete those first"),
        )
        .rest_code("23503")
        .rest_message(format!(
            r#"update or delete violates foreign key constraint "{name}""#
        ))
        .details("The key is still referred to from another table"),
        ViolationKind::NotNull => {
            let column = (!name.is_empty()).then_some(name.as_str());
            unprocessable(
                "null_value",
                format!("A value is required here{named}"),
                column,
            )
            .rest_code("23502")
            .rest_message(format!(
                r#"null value in column "{name}" violates not-null constraint"#
            ))
        }
        ViolationKind::Check => unprocessable(
            "check_violation",
            format!("A check refuses these values{named}"),
            None,
        )
        .rest_code("23514")
        .rest_message(format!(r#"the row violates check constraint "{name}""#)),
    }
}

fn rejected(rejection: Rejection) -> ApiError {
    let (what, code) = match rejection.kind {
        RejectionKind::TooLong => ("is longer than the column", "22001"),
        RejectionKind::OutOfRange => ("is outside the range of the column", "22003"),
        RejectionKind::Malformed => ("is not of the type of the column", "22P02"),
        RejectionKind::Generated => ("is given for a generated column", "428C9"),
        RejectionKind::Other => ("does not fit the table", "22000"),
    };
    let detail = match &rejection.column {
        Some(column) => format!("The value of `{column}` {what}"),
        None => format!("A value {what}"),
    };
    unprocessable("invalid_value", detail, rejection.column.as_deref()).rest_code(code)
}

/// The fault of one path or query parameter: 422.
pub fn parameter(name: &str, detail: impl Into<String>) -> ApiError {
    let pointer = format!("/{}", escape_pointer(name));
    ApiError::invalid(InvalidInput {
        errors: vec![FieldError {
            pointer,
            detail: detail.into(),
        }],
    })
}

#[cfg(test)]
mod tests;
