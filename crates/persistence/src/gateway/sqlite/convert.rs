//! Values of one type as values of another, for columns that are defined anew on SQLite.
//! Only what is certain is converted; the CHECK of the new type refuses what does not fit,
//! so that nothing is cut or rounded in silence.

use tidegate_domain::gateway::column_type::{ColumnType, TypeClass};

use super::types::{Storage, storage};

/// The expression that makes values of `to` from the values of `from` in `column`, which is
/// quoted; `None` where there is none.
pub(crate) fn conversion(column: &str, from: &ColumnType, to: &ColumnType) -> Option<String> {
    use ColumnType::{Bit, Date, DateTime, Decimal, Enum, Integer, Json, Set, Time, Timestamp};
    let plain = || Some(column.to_owned());
    let text = || Some(format!("CAST({column} AS TEXT)"));
    if from == to {
        return plain();
    }
    let free_text = |it: &ColumnType| it.class() == TypeClass::Text;
    let whole = |it: &ColumnType| {
        matches!(
            it.class(),
            TypeClass::Integer | TypeClass::Boolean | TypeClass::Bits
        )
    };
    match (from, to) {
        (from, Decimal { scale, .. }) if whole(from) => {
            Some(with_fraction(&format!("CAST({column} AS TEXT)"), 0, *scale))
        }
        (
            from,
            Integer {
                bytes: 8,
                unsigned: true,
            }
            | Bit(_),
        ) if whole(from) => text(),
        // The affinity makes numbers of texts that are numbers; the CHECK refuses the others.
        (from, to) if whole(from) && whole(to) => plain(),
        (from, to) if whole(from) && to.class() == TypeClass::Float => {
            Some(format!("CAST({column} AS REAL)"))
        }
        (Decimal { scale: from, .. }, Decimal { scale: to, .. }) => {
            Some(with_fraction(column, *from, *to))
        }
        (Decimal { scale, .. }, to) if whole(to) => Some(with_fraction(column, *scale, 0)),
        (Decimal { .. }, to) if to.class() == TypeClass::Float => {
            Some(format!("CAST({column} AS REAL)"))
        }
        (from, to) if from.class() == TypeClass::Float && to.class() == TypeClass::Float => plain(),
        (from, to) if free_text(from) && free_text(to) => plain(),
        (Json, to) if free_text(to) && !matches!(to, Enum(_) | Set(_)) => plain(),
        (from, Json) if free_text(from) => plain(),
        (from, to)
            if free_text(to)
                && (whole(from)
                    || matches!(from.class(), TypeClass::Decimal | TypeClass::Float)) =>
        {
            text()
        }
        (from, to) if free_text(to) && from.class() == TypeClass::Temporal => plain(),
        (from, to) if free_text(from) && whole(to) => plain(),
        (Date, DateTime(digits) | Timestamp(digits)) => Some(format!(
            "{column} || ' 00:00:00{}'",
            with_point(&"0".repeat(usize::from(*digits)))
        )),
        (DateTime(from) | Timestamp(from), DateTime(to) | Timestamp(to))
        | (Time(from), Time(to)) => Some(with_fraction(column, *from, *to)),
        (from, to) if storage(from) == Storage::Blob && storage(to) == Storage::Blob => plain(),
        (from, to) if free_text(from) && storage(to) == Storage::Blob => {
            Some(format!("CAST({column} AS BLOB)"))
        }
        _ => None,
    }
}

/// The text in `value`, with `from` digits behind its point, with `to` of them. Digits are
/// taken away only where they are zeros; otherwise the value stays as it was, which no
/// column of fewer digits lets in.
fn with_fraction(value: &str, from: u8, to: u8) -> String {
    let zeros = |count: u8| "0".repeat(usize::from(count));
    match (from, to) {
        (from, to) if from == to => value.to_owned(),
        (0, to) => format!("{value} || '{}'", with_point(&zeros(to))),
        (from, to) if from < to => format!("{value} || '{}'", zeros(to - from)),
        (from, to) => {
            // The point goes as well where no digit is left behind it.
            let cut = if to == 0 {
                with_point(&zeros(from))
            } else {
                zeros(from - to)
            };
            let length = cut.len();
            format!(
                "CASE WHEN substr({value}, -{length}) = '{cut}' THEN substr({value}, 1, length({value}) - {length}) \
                 ELSE {value} END"
            )
        }
    }
}

fn with_point(digits: &str) -> String {
    if digits.is_empty() {
        String::new()
    } else {
        format!(".{digits}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::type_text::read_type;
    use super::super::types::{condition, declaration};
    use super::*;

    #[tokio::test]
    async fn values_become_what_they_are_or_nothing() {
        use sqlx::{AssertSqlSafe, ConnectOptions};
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .in_memory(true)
            .collation("decimal", str::cmp)
            .collation("time", str::cmp);
        let mut connection = options.connect().await.unwrap();
        let cases = [
            ("int", "decimal(5,2)", "-7", Some("-7.00")),
            ("int", "bigint unsigned", "7", Some("7")),
            ("int", "bigint unsigned", "-7", None),
            ("bigint unsigned", "bigint", "'18446744073709551615'", None),
            (
                "bigint unsigned",
                "bigint",
                "'9223372036854775807'",
                Some("9223372036854775807"),
            ),
            ("decimal(5,2)", "decimal(7,4)", "'1.50'", Some("1.5000")),
            ("decimal(5,2)", "decimal(5,1)", "'1.50'", Some("1.5")),
            ("decimal(5,2)", "decimal(5,1)", "'1.55'", None),
            ("decimal(5,2)", "int", "'100.00'", Some("100")),
            ("decimal(5,2)", "int", "'0.50'", None),
            ("decimal(5,0)", "int", "'100'", Some("100")),
            ("varchar(9)", "int", "'12'", Some("12")),
            ("varchar(9)", "int", "'x'", None),
            ("varchar(9)", "enum('a','b')", "'a'", Some("a")),
            ("varchar(9)", "enum('a','b')", "'c'", None),
            ("varchar(9)", "varchar(2)", "'abc'", None),
            ("int", "varchar(9)", "12", Some("12")),
            (
                "date",
                "datetime(3)",
                "'2020-01-02'",
                Some("2020-01-02 00:00:00.000"),
            ),
            (
                "datetime(3)",
                "datetime",
                "'2020-01-02 00:00:00.000'",
                Some("2020-01-02 00:00:00"),
            ),
            ("text", "json", "'{'", None),
            ("tinyint(1)", "int", "1", Some("1")),
        ];
        for (from, to, value, expected) in cases {
            let (from_type, to_type) = (
                read_type(from, false).unwrap(),
                read_type(to, false).unwrap(),
            );
            let expression = conversion("\"c\"", &from_type, &to_type).unwrap();
            let sql = format!(
                "DROP TABLE IF EXISTS a; DROP TABLE IF EXISTS b; CREATE TABLE a (c {}); CREATE TABLE b (c {} CHECK ({})); \
                 INSERT INTO a VALUES ({value}); INSERT INTO b SELECT {expression} FROM a",
                declaration(&from_type),
                declaration(&to_type),
                condition("c", &to_type, false),
            );
            let outcome = sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&mut connection)
                .await;
            assert_eq!(
                outcome.is_ok(),
                expected.is_some(),
                "{from} to {to}: {value}"
            );
            if let Some(expected) = expected {
                let back: String = sqlx::query_scalar("SELECT CAST(c AS TEXT) FROM b")
                    .fetch_one(&mut connection)
                    .await
                    .unwrap();
                assert_eq!(back, expected, "{from} to {to}");
            }
        }
        let other = |from, to| {
            conversion(
                "c",
                &read_type(from, false).unwrap(),
                &read_type(to, false).unwrap(),
            )
        };
        assert_eq!(
            (
                other("varchar(9)", "date"),
                other("blob", "text"),
                other("double", "decimal(5,2)")
            ),
            (None, None, None)
        );
    }
}
