//! Every kind of error, with its status and code here and below `/rest/`.

use actix_web::body::MessageBody as _;
use serde_json::Value;

use super::*;
use crate::error::render::{ErrorContext, Place, render};

fn answers(error: ApiError) -> [(u16, String); 2] {
    [Place::Api, Place::Rest].map(|place| {
        let response = render(
            &error,
            &ErrorContext {
                place,
                ..ErrorContext::default()
            },
        );
        let status = response.status().as_u16();
        let body = response.into_body().try_into_bytes().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["status"], status);
        (status, body["code"].as_str().unwrap().to_owned())
    })
}

fn unknown_table() -> QueryError {
    QueryError::UnknownTable {
        database: "d".into(),
        table: "artsit".into(),
        similar: Some("artist".into()),
    }
}

fn value(kind: ValueFault) -> QueryError {
    QueryError::Value {
        column: "id".into(),
        kind,
        message: "no number".into(),
    }
}

fn constraint(kind: ViolationKind) -> StoreError {
    StoreError::Constraint(Violation {
        kind,
        name: "k".into(),
    })
}

#[test]
fn every_kind_has_its_status_and_code_here_and_below_rest() {
    let unknown = |payload: bool| {
        let (table, column) = ("t".to_owned(), "c".to_owned());
        if payload {
            QueryError::UnknownPayloadColumn {
                table,
                column,
                similar: None,
            }
        } else {
            QueryError::UnknownColumn {
                table,
                column,
                similar: None,
            }
        }
    };
    let operator = QueryError::Operator {
        operator: "like".into(),
        column: "id".into(),
        column_type: "int".into(),
    };
    let text = String::new;
    let cases: Vec<(ApiError, u16, &str, u16, &str)> = vec![
        (
            unknown_table().into(),
            404,
            "unknown_table",
            404,
            "PGRST205",
        ),
        (unknown(false).into(), 422, "unknown_column", 400, "42703"),
        (unknown(true).into(), 422, "unknown_column", 400, "PGRST204"),
        (operator.into(), 422, "operator_mismatch", 400, "42883"),
        (
            value(ValueFault::Malformed).into(),
            422,
            "invalid_value",
            400,
            "22P02",
        ),
        (
            value(ValueFault::MalformedTime).into(),
            422,
            "invalid_value",
            400,
            "22007",
        ),
        (
            value(ValueFault::OutOfRange).into(),
            422,
            "invalid_value",
            400,
            "22003",
        ),
        (
            value(ValueFault::TooLong).into(),
            422,
            "invalid_value",
            400,
            "22001",
        ),
        (
            value(ValueFault::Null).into(),
            422,
            "invalid_value",
            400,
            "23502",
        ),
        (
            QueryError::Generated { column: text() }.into(),
            422,
            "generated_column",
            400,
            "428C9",
        ),
        (
            QueryError::ReadOnly { table: text() }.into(),
            422,
            "read_only",
            405,
            "25006",
        ),
        (
            QueryError::FullTable {
                statement: "DELETE",
            }
            .into(),
            422,
            "full_table",
            400,
            "21000",
        ),
        (
            QueryError::Body { message: text() }.into(),
            422,
            "invalid_body",
            400,
            "PGRST102",
        ),
        (
            QueryError::Duplicate { message: text() }.into(),
            422,
            "duplicate_column",
            400,
            "42701",
        ),
        (
            constraint(ViolationKind::Unique).into(),
            409,
            "duplicate_key",
            409,
            "23505",
        ),
        (
            constraint(ViolationKind::ForeignKeyParent).into(),
            409,
            "missing_parent",
            409,
            "23503",
        ),
        (
            constraint(ViolationKind::ForeignKeyChild).into(),
            409,
            "still_referenced",
            409,
            "23503",
        ),
        (
            constraint(ViolationKind::NotNull).into(),
            422,
            "null_value",
            400,
            "23502",
        ),
        (
            constraint(ViolationKind::Check).into(),
            422,
            "check_violation",
            400,
            "23514",
        ),
        (
            StoreError::Unavailable("gone".into()).into(),
            503,
            "unavailable",
            503,
            "PGRST001",
        ),
        (
            StoreError::Timeout("slow".into()).into(),
            504,
            "statement_timeout",
            500,
            "57014",
        ),
        (
            StoreError::Denied("no".into()).into(),
            403,
            "database_denied",
            403,
            "42501",
        ),
        (
            StoreError::Missing { kind: "table" }.into(),
            404,
            "not_found",
            404,
            "42P01",
        ),
        (
            StoreError::Exists { kind: "table" }.into(),
            409,
            "table_exists",
            409,
            "42P07",
        ),
        (
            StoreError::Unsupported(text()).into(),
            501,
            "not_supported",
            501,
            "0A000",
        ),
        (
            StoreError::Internal("why".into()).into(),
            500,
            "internal_error",
            500,
            "XX000",
        ),
        (Denied.into(), 403, "forbidden", 403, "42501"),
        (
            Unauthenticated::Missing.into(),
            401,
            "not_authenticated",
            401,
            "PGRST302",
        ),
        (
            Unauthenticated::Token(TokenError::Expired).into(),
            401,
            "token_expired",
            401,
            "PGRST303",
        ),
        (
            AppError::NotFound(text()).into(),
            404,
            "not_found",
            404,
            "PGRST125",
        ),
        (
            AppError::conflict("taken", "").into(),
            409,
            "taken",
            409,
            "taken",
        ),
        (
            AppError::TooManyAttempts { retry_after: 9 }.into(),
            429,
            "too_many_attempts",
            429,
            "too_many_attempts",
        ),
    ];
    for (error, status, code, rest_status, rest_code) in cases {
        let expected = [
            (status, code.to_owned()),
            (rest_status, rest_code.to_owned()),
        ];
        assert_eq!(answers(error), expected);
    }
}

#[test]
fn the_cause_of_a_fault_stays_inside() {
    for error in [
        StoreError::Internal("SELECT secret".into()),
        StoreError::Unavailable("SELECT secret".into()),
        StoreError::Timeout("SELECT secret".into()),
        StoreError::Denied("SELECT secret".into()),
    ] {
        let error = ApiError::from(error);
        for place in [Place::Api, Place::Rest] {
            let context = ErrorContext {
                place,
                ..ErrorContext::default()
            };
            let body = render(&error, &context)
                .into_body()
                .try_into_bytes()
                .unwrap();
            assert!(!String::from_utf8_lossy(&body).contains("secret"));
        }
    }
}

#[test]
fn waiting_is_told_in_seconds() {
    let error = ApiError::from(StoreError::Unavailable("gone".into()));
    let response = render(&error, &ErrorContext::default());
    assert_eq!(response.headers().get("retry-after").unwrap(), "2");
}

#[test]
fn a_routine_chooses_only_a_status_of_errors() {
    for (state, status) in [
        ("PT402", 402),
        ("PT599", 599),
        ("PT204", 500),
        ("PT304", 500),
        ("PT999", 500),
        ("PTabc", 500),
        ("54001", 400),
        ("54000", 500),
    ] {
        let (state, message) = (state.to_owned(), "no".to_owned());
        let answers = answers(StoreError::Raised { state, message }.into());
        assert_eq!(answers.map(|(status, _)| status), [status, status]);
    }
}
