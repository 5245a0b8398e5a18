//! The status table: what each kind of error of the layers below is to a client, and
//! below `/rest/` to a client of PostgREST (status, SQLSTATE or `PGRST` code).

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_RANGE};
use tidegate_application::error::{AppError, Unauthenticated};
use tidegate_domain::error::{
    FieldError, InvalidInput, Rejection, RejectionKind, Stated, StoreError, Violation,
    ViolationKind, escape_pointer,
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
        QueryError::UnknownTable {
            database,
            table,
            similar,
        } => {
            let shown: String = table.chars().filter(|c| !c.is_control()).take(64).collect();
            let error = ApiError::new(StatusCode::NOT_FOUND, "unknown_table", message)
                .rest_code("PGRST205")
                .rest_message(format!(
                    "Could not find the table '{database}.{shown}' in the schema cache"
                ));
            match similar {
                Some(name) => {
                    error.hint(format!("Perhaps you meant the table '{database}.{name}'"))
                }
                None => error,
            }
        }
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
        QueryError::Unsupported { feature } => ApiError::new(
            StatusCode::BAD_REQUEST,
            "not_implemented",
            "Feature not implemented",
        )
        .rest_code("PGRST127")
        .details(format!("{feature} are not supported")),
        QueryError::UnknownType { .. } => {
            unprocessable("unknown_type", message, None).rest_code("42704")
        }
        QueryError::Cast { .. } => unprocessable("cannot_cast", message, None).rest_code("42846"),
        QueryError::Function { .. } => unprocessable("operator_mismatch", message, None)
            .rest_code("42883")
            .hint("No function matches this type; convert the column by a cast before it"),
        QueryError::Grouping { .. } => {
            unprocessable("not_grouped", message, None).rest_code("42803")
        }
        QueryError::AggregatesOff => {
            unprocessable("aggregates_off", message, None).rest_code("PGRST123")
        }
        QueryError::Pattern { .. } => {
            unprocessable("invalid_pattern", message, None).rest_code("2201B")
        }
        QueryError::SearchSyntax { .. } => {
            unprocessable("invalid_search", message, None).rest_code("42601")
        }
        QueryError::NoRelationship { .. } | QueryError::AmbiguousRelationship { .. } => {
            relationship(error, message)
        }
        QueryError::NotEmbedded { name } => unprocessable("not_embedded", message, None)
            .rest_code("PGRST108")
            .hint(format!(
                "Verify that '{name}' is included in the 'select' query parameter."
            )),
        QueryError::RelatedOrder { origin, name } => unprocessable("related_order", message, None)
            .rest_code("PGRST118")
            .details(format!(
                "'{origin}' and '{name}' do not form a many-to-one or one-to-one relationship"
            )),
        QueryError::EmbedFilter { .. } => unprocessable("embed_filter", message, None)
            .rest_code("PGRST120")
            .details("Only is null or not is null filters are allowed on embedded resources"),
        QueryError::TooMuch { .. } => {
            unprocessable("too_much", message, None).rest_code("PGRST100")
        }
        QueryError::TooManyAffected { rows } => unprocessable("too_many_rows", message, None)
            .rest_code("PGRST124")
            .details(format!("The query affects {rows} rows")),
        QueryError::NotSingle { rows } => unprocessable("not_single", message, None)
            .rest_status(StatusCode::NOT_ACCEPTABLE)
            .rest_code("PGRST116")
            .details(format!("The result contains {rows} rows")),
        QueryError::NoSuchKey => unprocessable("no_such_key", message, None)
            .rest_code("42P10")
            .hint("Name the columns of the primary key or of a unique key in `on_conflict`"),
        QueryError::KeyTwice => unprocessable("key_twice", message, None)
            .rest_code("21000")
            .hint("Name each key in one row of the body only"),
        QueryError::PutFilters => unprocessable("put_filters", message, None)
            .rest_status(StatusCode::METHOD_NOT_ALLOWED)
            .rest_code("PGRST105"),
        QueryError::PutKey => unprocessable("put_key", message, None).rest_code("PGRST115"),
        QueryError::UnknownRoutine { .. } => routine(error, message),
        QueryError::AmbiguousRoutine { .. } => unprocessable("ambiguous_routine", message, None)
            .rest_status(StatusCode::MULTIPLE_CHOICES)
            .rest_code("PGRST203")
            .hint(
                "Try renaming the parameters or the function itself in the database so \
                     function overloading can be resolved",
            ),
        QueryError::NoRowsToLimit => {
            unprocessable("no_rows_to_limit", message, None).rest_code("PGRST128")
        }
        QueryError::PastEnd { offset, total } => ApiError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "range_not_satisfiable",
            message,
        )
        .rest_code("PGRST103")
        .details(format!(
            "An offset of {offset} was requested, but there are only {total} rows."
        ))
        .header(CONTENT_RANGE, &format!("*/{total}")),
        QueryError::LargeResult { .. } => unprocessable("large_result", message, None)
            .rest_code("54000")
            .hint("Let the routine give fewer rows at a time"),
        QueryError::Duplicate { .. } => {
            unprocessable("duplicate_column", message, None).rest_code("42701")
        }
    }
}

/// None of the relationships that were looked for, or too many.
fn relationship(error: QueryError, message: String) -> ApiError {
    match error {
        QueryError::NoRelationship {
            database,
            origin,
            target,
            hint,
            similar,
        } => {
            let by = hint.map_or_else(String::new, |hint| format!(" using the hint '{hint}'"));
            let error = unprocessable("no_relationship", message, None)
                .rest_code("PGRST200")
                .details(format!(
                    "Searched for a foreign key relationship between '{origin}' and '{target}'{by} \
                     in the schema '{database}', but no matches were found."
                ));
            match similar {
                Some(name) => {
                    error.hint(format!("Perhaps you meant '{name}' instead of '{target}'."))
                }
                None => error,
            }
        }
        QueryError::AmbiguousRelationship {
            target, candidates, ..
        } => {
            let choices: Vec<String> = candidates
                .iter()
                .map(|candidate| format!("'{}'", candidate.choice))
                .collect();
            let details: Vec<serde_json::Value> = candidates
                .into_iter()
                .map(|candidate| {
                    serde_json::json!({
                        "cardinality": candidate.cardinality,
                        "embedding": candidate.embedding,
                        "relationship": candidate.relationship,
                    })
                })
                .collect();
            unprocessable("ambiguous_relationship", message, None)
                .rest_status(StatusCode::MULTIPLE_CHOICES)
                .rest_code("PGRST201")
                .details(details)
                .hint(format!(
                    "Try changing '{target}' to one of the following: {}. \
                     Find the desired relationship in the 'details' key.",
                    choices.join(", ")
                ))
        }
        // The caller sends no other.
        other => ApiError::internal(other),
    }
}

/// A routine that is not there, or takes other arguments.
fn routine(error: QueryError, message: String) -> ApiError {
    let QueryError::UnknownRoutine {
        database,
        routine,
        arguments,
        similar,
    } = error
    else {
        return ApiError::internal(error);
    };
    let with = match arguments.as_slice() {
        [] => " without parameters".to_owned(),
        [one] => format!(" with parameter {one}"),
        several => format!(" with parameters {}", several.join(", ")),
    };
    let error = ApiError::new(StatusCode::NOT_FOUND, "unknown_routine", message)
        .rest_code("PGRST202")
        .details(format!(
            "Searched for the function {database}.{routine}{with}, but no matches were found in \
             the schema cache."
        ));
    match similar {
        Some(similar) => error.hint(format!("Perhaps you meant to call the function {similar}")),
        None => error,
    }
}

/// What a routine or trigger said by itself. `PTxyz` chooses the status, 45000 is PostgreSQL's
/// P0001, and of the others the class decides.
fn raised(state: String, message: String) -> ApiError {
    let chosen = state.strip_prefix("PT").and_then(|digits| {
        // An error answered as a success would have no body to tell of it.
        let status = digits.parse().ok().filter(|it| (400..=599).contains(it))?;
        StatusCode::from_u16(status).ok()
    });
    let class = state.get(..2).unwrap_or_default();
    let status = match (chosen, state.as_str(), class) {
        (Some(status), ..) => status,
        (_, "25006", _) => StatusCode::METHOD_NOT_ALLOWED,
        (_, "23503" | "23505", _) => StatusCode::CONFLICT,
        (_, "42883" | "42P01", _) => StatusCode::NOT_FOUND,
        (_, "42501", _) | (_, _, "28" | "0L" | "0P") => StatusCode::FORBIDDEN,
        (_, _, "08" | "53") => StatusCode::SERVICE_UNAVAILABLE,
        // 54001: what is asked is too complex, which nobody but the client can mend.
        (_, "P0001" | "45000" | "54001", _) => StatusCode::BAD_REQUEST,
        (_, _, "PT" | "P0" | "38" | "39" | "40" | "54" | "55" | "57" | "58" | "XX") => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ => StatusCode::BAD_REQUEST,
    };
    let code = match state.as_str() {
        "45000" => "P0001".to_owned(),
        _ => state,
    };
    let error = ApiError::new(status, "raised", message).rest_code(code);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        error.header(ALLOW, "OPTIONS,POST")
    } else {
        error
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
        .rest_code(
            cause
                .downcast_ref::<Stated>()
                .map_or("PGRST001", |cause| cause.state),
        )
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
        StoreError::ReadOnly(cause) => ApiError::new(
            StatusCode::FORBIDDEN,
            "read_only",
            "cannot write in a read-only transaction",
        )
        .rest_status(StatusCode::METHOD_NOT_ALLOWED)
        .rest_code("25006")
        .header(ALLOW, "OPTIONS,POST")
        .cause(cause),
        StoreError::Raised { state, message } => raised(state, message),
        StoreError::Input(error) => query(error),
        StoreError::Internal(cause) => ApiError::internal(cause),
    }
}

fn constraint(violation: &Violation) -> ApiError {
    let name = &violation.name;
    // SQLite does not name them all.
    let [named, quoted] = if name.is_empty() {
        [String::new(), String::new()]
    } else {
        [format!(" ({name})"), format!(r#" "{name}""#)]
    };
    match violation.kind {
        ViolationKind::Unique => ApiError::new(
            StatusCode::CONFLICT,
            "duplicate_key",
            format!("A record with this key exists already{named}"),
        )
        .rest_code("23505")
        .rest_message(format!(
            "duplicate key value violates unique constraint{quoted}"
        )),
        ViolationKind::ForeignKeyParent => ApiError::new(
            StatusCode::CONFLICT,
            "missing_parent",
            format!("The record refers to one that does not exist{named}"),
        )
        .rest_code("23503")
        .rest_message(format!(
            "insert or update violates foreign key constraint{quoted}"
        ))
        .details("The key is not present in the table that is referred to"),
        ViolationKind::ForeignKeyChild => ApiError::new(
            StatusCode::CONFLICT,
            "still_referenced",
            format!("Other records refer to this one{named}; change or delete those first"),
        )
        .rest_code("23503")
        .rest_message(format!(
            "update or delete violates foreign key constraint{quoted}"
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
                "null value in column{quoted} violates not-null constraint"
            ))
        }
        ViolationKind::Check => unprocessable(
            "check_violation",
            format!("A check refuses these values{named}"),
            None,
        )
        .rest_code("23514")
        .rest_message(format!("the row violates check constraint{quoted}")),
    }
}

fn rejected(rejection: Rejection) -> ApiError {
    let (what, code) = match rejection.kind {
        RejectionKind::TooLong => ("is longer than the column", "22001"),
        RejectionKind::OutOfRange => ("is outside the range of the column", "22003"),
        RejectionKind::Malformed => ("is not of the type of the column", "22P02"),
        RejectionKind::Generated => ("is given for a generated column", "428C9"),
        RejectionKind::Division => ("is divided by zero", "22012"),
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
