//! Tables of values, and properties of all of them.

use std::cmp::Ordering;

use proptest::prelude::*;
use serde_json::json;

use super::{Value, decimal_cmp};
use crate::gateway::column_type::{ColumnType, LobSize};
use crate::query::error::ValueFault;

const INT: ColumnType = ColumnType::Integer {
    bytes: 4,
    unsigned: false,
};
const BIGINT: ColumnType = ColumnType::Integer {
    bytes: 8,
    unsigned: false,
};
const BIGINT_UNSIGNED: ColumnType = ColumnType::Integer {
    bytes: 8,
    unsigned: true,
};
const TINY_UNSIGNED: ColumnType = ColumnType::Integer {
    bytes: 1,
    unsigned: true,
};
const PRICE: ColumnType = ColumnType::Decimal {
    precision: 10,
    scale: 2,
    unsigned: false,
};

fn members() -> Vec<String> {
    ["red", "green", "blue"].map(str::to_owned).to_vec()
}

fn stored(column_type: &ColumnType, text: &str) -> Result<Value, ValueFault> {
    column_type
        .value_from_text(text)
        .map_err(|fault| fault.kind)
}

fn text(text: &str) -> Result<Value, ValueFault> {
    Ok(Value::Text(text.to_owned()))
}

fn decimal(text: &str) -> Result<Value, ValueFault> {
    Ok(Value::Decimal(text.to_owned()))
}

#[test]
fn whole_numbers_keep_to_their_range() {
    use ValueFault::{Malformed, OutOfRange};
    assert_eq!(stored(&INT, "-2147483648"), Ok(Value::Int(-2_147_483_648)));
    assert_eq!(stored(&INT, "2147483648"), Err(OutOfRange));
    assert_eq!(stored(&INT, " +5 "), Ok(Value::Int(5)));
    assert_eq!(stored(&INT, "5.0"), Ok(Value::Int(5)));
    for bad in ["", "abc", "5.5", "1e-1", "0x10", "1 2", "--1", "٣"] {
        assert_eq!(stored(&INT, bad), Err(Malformed), "{bad:?}");
    }
    assert_eq!(
        stored(&BIGINT, "9223372036854775807"),
        Ok(Value::Int(i64::MAX))
    );
    assert_eq!(stored(&BIGINT, "9223372036854775808"), Err(OutOfRange));
    assert_eq!(
        stored(&BIGINT_UNSIGNED, "18446744073709551615"),
        Ok(Value::UInt(u64::MAX))
    );
    assert_eq!(stored(&TINY_UNSIGNED, "256"), Err(OutOfRange));
    assert_eq!(stored(&TINY_UNSIGNED, "-1"), Err(OutOfRange));
    assert_eq!(stored(&ColumnType::Year, "1900"), Err(OutOfRange));
    assert_eq!(stored(&ColumnType::Year, "0"), Ok(Value::Int(0)));
}

#[test]
fn decimals_are_exact_and_rounded_as_postgresql_does() {
    use ValueFault::{Malformed, OutOfRange};
    for (given, kept) in [
        ("1", "1.00"),
        ("-0", "0.00"),
        ("-0.001", "0.00"),
        (".5", "0.50"),
        ("5.", "5.00"),
        ("12.345", "12.35"),
        ("-12.345", "-12.35"),
        ("0.995", "1.00"),
        ("9.999", "10.00"),
        ("1e2", "100.00"),
        ("125e-2", "1.25"),
        ("007.10", "7.10"),
        ("99999999.99", "99999999.99"),
    ] {
        assert_eq!(stored(&PRICE, given), decimal(kept), "{given}");
    }
    assert_eq!(stored(&PRICE, "99999999.995"), Err(OutOfRange));
    assert_eq!(stored(&PRICE, "1e999999999"), Err(Malformed));
    for bad in [
        "", ".", "-", "1e", "NaN", "Infinity", "1.2.3", "1,5", "1_000",
    ] {
        assert_eq!(stored(&PRICE, bad), Err(Malformed), "{bad}");
    }
    let unsigned = ColumnType::Decimal {
        precision: 5,
        scale: 0,
        unsigned: true,
    };
    assert_eq!(stored(&unsigned, "-1"), Err(OutOfRange));
    let widest = ColumnType::Decimal {
        precision: 65,
        scale: 30,
        unsigned: false,
    };
    let digits = format!("-{}.{}", "9".repeat(35), "9".repeat(30));
    assert_eq!(stored(&widest, &digits), decimal(&digits));
}

#[test]
fn floats_are_finite_and_as_wide_as_the_column() {
    let double = ColumnType::Double { unsigned: false };
    let float = ColumnType::Float { unsigned: false };
    assert_eq!(stored(&double, "0.1"), Ok(Value::Double(0.1)));
    assert_eq!(stored(&float, "0.1"), Ok(Value::Double(f64::from(0.1_f32))));
    assert_eq!(stored(&double, "1e400"), Err(ValueFault::OutOfRange));
    assert_eq!(stored(&float, "1e39"), Err(ValueFault::OutOfRange));
    for bad in ["nan", "inf", "", "1x"] {
        assert_eq!(stored(&double, bad), Err(ValueFault::Malformed), "{bad}");
    }
    assert_eq!(
        stored(&ColumnType::Double { unsigned: true }, "-1"),
        Err(ValueFault::OutOfRange)
    );
}

#[test]
fn texts_keep_to_their_length_in_characters() {
    assert_eq!(stored(&ColumnType::Varchar(3), "äöü"), text("äöü"));
    assert_eq!(
        stored(&ColumnType::Varchar(3), "äöüß"),
        Err(ValueFault::TooLong)
    );
    assert_eq!(stored(&ColumnType::Varchar(3), "a  "), text("a  "));
    assert_eq!(stored(&ColumnType::Char(3), "a  "), text("a"));
    assert_eq!(
        stored(&ColumnType::Text(LobSize::Tiny), &"ä".repeat(128)),
        Err(ValueFault::TooLong)
    );
    assert_eq!(
        stored(&ColumnType::Varchar(3), "a\0"),
        Err(ValueFault::Malformed)
    );
    assert_eq!(stored(&ColumnType::Varchar(2), "🙂🙂"), text("🙂🙂"));
}

#[test]
fn enums_and_sets_hold_their_members_only() {
    let colour = ColumnType::Enum(members());
    let colours = ColumnType::Set(members());
    assert_eq!(stored(&colour, "green"), text("green"));
    for bad in ["Green", "2", ""] {
        assert_eq!(stored(&colour, bad), Err(ValueFault::Malformed), "{bad:?}");
    }
    assert_eq!(stored(&colours, "blue,red,red"), text("red,blue"));
    assert_eq!(stored(&colours, ""), text(""));
    assert_eq!(stored(&colours, "red,pink"), Err(ValueFault::Malformed));
    assert_eq!(
        colours.value_from_json(&json!(["blue", "green"])),
        Ok(Value::Text("green,blue".to_owned()))
    );
    assert_eq!(colour.operand("pink"), Ok(Value::Text("pink".to_owned())));
}

#[test]
fn bytes_bits_and_uuids_have_their_texts() {
    let bytes = |bytes: &[u8]| Ok(Value::Bytes(bytes.to_vec()));
    assert_eq!(
        stored(&ColumnType::Varbinary(4), "\\x00fF"),
        bytes(&[0, 255])
    );
    assert_eq!(
        stored(&ColumnType::Binary(4), "\\x01"),
        bytes(&[1, 0, 0, 0])
    );
    assert_eq!(stored(&ColumnType::Varbinary(4), "abc"), bytes(b"abc"));
    assert_eq!(
        stored(&ColumnType::Varbinary(1), "\\x0000"),
        Err(ValueFault::TooLong)
    );
    for bad in ["\\x0", "\\xzz", "\\xäa"] {
        assert_eq!(
            stored(&ColumnType::Varbinary(9), bad),
            Err(ValueFault::Malformed),
            "{bad}"
        );
    }
    assert_eq!(stored(&ColumnType::Bit(4), "1010"), Ok(Value::UInt(10)));
    assert_eq!(
        stored(&ColumnType::Bit(4), "11010"),
        Err(ValueFault::OutOfRange)
    );
    assert_eq!(
        stored(&ColumnType::Bit(64), &"1".repeat(64)),
        Ok(Value::UInt(u64::MAX))
    );
    assert_eq!(
        ColumnType::Bit(1).value_from_json(&json!(true)),
        Ok(Value::UInt(1))
    );
    assert_eq!(
        ColumnType::Bit(4).value_from_json(&json!(10)),
        Ok(Value::UInt(10))
    );
    let uuid = "6F9619FF-8B86-D011-B42D-00C04FC964FF";
    assert_eq!(stored(&ColumnType::Uuid, uuid), text(&uuid.to_lowercase()));
    assert_eq!(
        stored(&ColumnType::Uuid, "6F9619FF8B86D011B42D00C04FC964FF"),
        Err(ValueFault::Malformed)
    );
}

#[test]
fn dates_and_times_are_canonical() {
    use ValueFault::{MalformedTime, OutOfRange};
    assert_eq!(stored(&ColumnType::Date, "2024-02-29"), text("2024-02-29"));
    for bad in [
        "2023-02-29",
        "2024-2-29",
        "0000-00-00",
        "today",
        "",
        "2024-02-29 10:00:00",
        "infinity",
    ] {
        assert_eq!(stored(&ColumnType::Date, bad), Err(MalformedTime), "{bad}");
    }
    assert_eq!(stored(&ColumnType::Time(0), "9:05"), text("09:05:00"));
    assert_eq!(
        stored(&ColumnType::Time(3), "-838:59:59"),
        text("-838:59:59.000")
    );
    assert_eq!(stored(&ColumnType::Time(0), "23:59:59.5"), text("24:00:00"));
    assert_eq!(stored(&ColumnType::Time(0), "839:00:00"), Err(OutOfRange));
    assert_eq!(stored(&ColumnType::Time(0), "10:61:00"), Err(MalformedTime));
    for given in [
        "2015-12-08 04:22:57.472738",
        "2015-12-08T04:22:57.472738",
        "2015-12-08T04:22:57.472738Z",
    ] {
        assert_eq!(
            stored(&ColumnType::DateTime(6), given),
            text("2015-12-08 04:22:57.472738")
        );
    }
    assert_eq!(
        stored(&ColumnType::DateTime(0), "2015-12-31 23:59:59.5"),
        text("2016-01-01 00:00:00")
    );
    assert_eq!(
        stored(&ColumnType::DateTime(0), "9999-12-31 23:59:59.5"),
        Err(OutOfRange)
    );
    assert_eq!(
        stored(&ColumnType::DateTime(0), "2015-12-08"),
        text("2015-12-08 00:00:00")
    );
    for bad in [
        "2015-12-08 24:00:00",
        "2015-12-08 10",
        "2015-12-08 10:00:00+99:00",
        "2015-12-08x",
    ] {
        assert_eq!(
            stored(&ColumnType::DateTime(0), bad),
            Err(MalformedTime),
            "{bad}"
        );
    }
    assert_eq!(
        stored(&ColumnType::Timestamp(0), "2020-01-01T01:30:00+05:30"),
        text("2019-12-31 20:00:00")
    );
    assert_eq!(
        stored(&ColumnType::Timestamp(0), "2039-01-01"),
        Err(OutOfRange)
    );
    assert_eq!(
        ColumnType::Timestamp(0).operand("2039-01-01"),
        Ok(Value::Text("2039-01-01 00:00:00.000000".to_owned()))
    );
}

#[test]
fn json_documents_keep_their_numbers() {
    let number = "12345678901234567890.123456789012345678901234567890";
    assert_eq!(
        stored(&ColumnType::Json, number),
        Ok(Value::Json(number.to_owned()))
    );
    assert_eq!(stored(&ColumnType::Json, "{"), Err(ValueFault::Malformed));
    let document: serde_json::Value =
        serde_json::from_str(&format!("{{\"b\":{number},\"a\":[]}}")).unwrap();
    assert_eq!(
        ColumnType::Json.value_from_json(&document),
        Ok(Value::Json(format!("{{\"b\":{number},\"a\":[]}}")))
    );
    assert_eq!(
        PRICE.value_from_json(&serde_json::from_str("0.10000000000000001").unwrap()),
        Ok(Value::Decimal("0.10".to_owned()))
    );
    assert_eq!(
        BIGINT.value_from_json(&json!(9_007_199_254_740_993_i64)),
        Ok(Value::Int(9_007_199_254_740_993))
    );
    assert_eq!(
        ColumnType::Varchar(20).value_from_json(&json!({"a": 1})),
        Ok(Value::Text("{\"a\":1}".to_owned()))
    );
    assert!(
        INT.value_from_json(&json!([1])).is_err() && INT.value_from_json(&json!(true)).is_err()
    );
    assert_eq!(
        ColumnType::Boolean.value_from_json(&json!(true)),
        Ok(Value::Int(1))
    );
    assert_eq!(INT.value_from_json(&json!(null)), Ok(Value::Null));
}

#[test]
fn operands_need_not_fit_the_column() {
    assert_eq!(
        INT.operand("99999999999999999999"),
        Ok(Value::Decimal("99999999999999999999".to_owned()))
    );
    assert_eq!(TINY_UNSIGNED.operand("-5"), Ok(Value::Int(-5)));
    assert_eq!(
        PRICE.operand("1.2300"),
        Ok(Value::Decimal("1.23".to_owned()))
    );
    assert_eq!(
        PRICE.operand("1.23456"),
        Ok(Value::Decimal("1.23456".to_owned()))
    );
    assert_eq!(
        ColumnType::Varchar(2).operand("long"),
        Ok(Value::Text("long".to_owned()))
    );
    assert!(INT.operand("abc").is_err());
}

#[test]
fn operands_compare_as_they_would_without_a_limit() {
    let widest = ColumnType::Decimal {
        precision: 65,
        scale: 0,
        unsigned: false,
    };
    let decimal = |text: &str| Ok(Value::Decimal(text.to_owned()));
    assert_eq!(PRICE.operand("1e70"), decimal("100000000"));
    assert_eq!(PRICE.operand("-123456789"), decimal("-100000000"));
    let between = format!("{}.{}1", "9".repeat(60), "0".repeat(30));
    assert_eq!(
        widest.operand(&between),
        Ok(Value::Decimal(format!("{}.5", "9".repeat(60))))
    );
    assert_eq!(
        BIGINT.operand(&"9".repeat(5_000)),
        Ok(Value::Decimal(format!("1{}", "0".repeat(20))))
    );
    assert_eq!(
        ColumnType::Char(3).operand("a  "),
        Ok(Value::Text("a".to_owned()))
    );
}

#[test]
fn what_not_every_engine_takes_is_refused() {
    let colours = ColumnType::Set(members());
    for bad in [json!(["red,blue"]), json!([""]), json!([1])] {
        assert!(colours.value_from_json(&bad).is_err(), "{bad}");
    }
    assert_eq!(
        colours.value_from_json(&json!([])),
        Ok(Value::Text(String::new()))
    );
    let time = stored(&ColumnType::Time(1), "838:59:59.5");
    assert_eq!(time, Err(ValueFault::OutOfRange));
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(stored(&ColumnType::Json, &nested(100)).is_ok());
    for bad in [nested(101), nested(100_000), "[1e400]".to_owned()] {
        assert!(stored(&ColumnType::Json, &bad).is_err());
    }
    let digits = stored(&PRICE, &"9".repeat(5_000));
    assert_eq!(digits, Err(ValueFault::OutOfRange));
}

#[test]
fn columns_without_a_known_type_take_values_as_they_are() {
    let other = ColumnType::Other("numeric(10,2)".to_owned());
    for (json, value) in [
        (json!(5), Value::Int(5)),
        (json!(0.5), Value::Double(0.5)),
        (json!("0.5"), Value::Text("0.5".to_owned())),
        (json!(true), Value::Int(1)),
        (json!([1]), Value::Text("[1]".to_owned())),
        (json!(null), Value::Null),
    ] {
        assert_eq!(other.value_from_json(&json), Ok(value), "{json}");
    }
}

#[test]
fn numbers_of_any_length_compare() {
    let long = |digit: &str| digit.repeat(2_000);
    for (a, b, order) in [
        (long("9"), format!("1{}", long("0")), Ordering::Less),
        (format!("-{}", long("9")), "5".to_owned(), Ordering::Less),
        (long("9"), "1e3".to_owned(), Ordering::Greater),
        ("-0.0".to_owned(), "0".to_owned(), Ordering::Equal),
        ("1e2".to_owned(), "100.0".to_owned(), Ordering::Equal),
        (long("9"), "x".to_owned(), Ordering::Less),
        ("".to_owned(), "5".to_owned(), Ordering::Greater),
    ] {
        assert_eq!(decimal_cmp(&a, &b), order);
        assert_eq!(decimal_cmp(&b, &a), order.reverse());
    }
}

fn any_type() -> impl Strategy<Value = ColumnType> {
    prop_oneof![
        Just(INT),
        Just(BIGINT_UNSIGNED),
        Just(PRICE),
        Just(ColumnType::Boolean),
        Just(ColumnType::Float { unsigned: false }),
        Just(ColumnType::Varchar(5)),
        Just(ColumnType::Set(members())),
        Just(ColumnType::Varbinary(9)),
        Just(ColumnType::Date),
        Just(ColumnType::Time(2)),
        Just(ColumnType::DateTime(3)),
        Just(ColumnType::Timestamp(6)),
        Just(ColumnType::Json),
        Just(ColumnType::Bit(7)),
        Just(ColumnType::Uuid),
    ]
}

proptest! {
    #[test]
    fn no_text_panics(column_type in any_type(), text in any::<String>()) {
        let _ = (column_type.value_from_text(&text), column_type.operand(&text));
    }

    #[test]
    fn no_likely_text_panics(column_type in any_type(), text in "[-+0-9.:eETZ xä]{0,24}") {
        let _ = (column_type.value_from_text(&text), column_type.operand(&text));
    }

    #[test]
    fn canonical_text_is_read_as_itself(column_type in any_type(), text in "[-+0-9.: ]{1,20}") {
        if let Ok(Value::Text(canonical) | Value::Decimal(canonical)) = column_type.value_from_text(&text) {
            let again = column_type.value_from_text(&canonical).unwrap();
            prop_assert!(matches!(again, Value::Text(same) | Value::Decimal(same) if same == canonical));
        }
    }

    #[test]
    fn decimals_compare_as_numbers_do(a in any::<i64>(), b in any::<i64>(), scale in 0_u32..6) {
        let print = |n: i64| {
            let unit = 10_i128.pow(scale);
            let (sign, n) = (if n < 0 { "-" } else { "" }, i128::from(n).abs());
            format!("{sign}{}.{:0>width$}", n / unit, n % unit, width = scale as usize)
        };
        let print = |n| print(n).trim_end_matches('.').to_owned();
        prop_assert_eq!(decimal_cmp(&print(a), &print(b)), a.cmp(&b));
    }

    #[test]
    fn the_order_of_decimals_is_total(a in "[-0-9.ex]{0,8}", b in "[-0-9.ex]{0,8}", c in "[-0-9.ex]{0,8}") {
        prop_assert_eq!(decimal_cmp(&a, &b), decimal_cmp(&b, &a).reverse());
        if decimal_cmp(&a, &b) != Ordering::Greater && decimal_cmp(&b, &c) != Ordering::Greater {
            prop_assert!(decimal_cmp(&a, &c) != Ordering::Greater);
        }
    }
}

#[test]
fn what_json_says_as_text_is_read_the_same_without_a_tree() {
    let types = [
        INT,
        BIGINT_UNSIGNED,
        TINY_UNSIGNED,
        PRICE,
        ColumnType::Year,
        ColumnType::Boolean,
        ColumnType::Bit(1),
        ColumnType::Bit(8),
        ColumnType::Double { unsigned: false },
        ColumnType::Char(4),
        ColumnType::Varchar(4),
        ColumnType::Text(LobSize::Long),
        ColumnType::Enum(members()),
        ColumnType::Set(members()),
        ColumnType::Uuid,
        ColumnType::Varbinary(4),
        ColumnType::Date,
        ColumnType::Time(0),
        ColumnType::DateTime(3),
        ColumnType::Json,
        ColumnType::Other("point".into()),
    ];
    let written = [
        "null",
        "true",
        "0",
        "-0",
        "12",
        "-12",
        "1.50",
        "1e2",
        "300",
        "123456789012345678901234567890",
        r#""""#,
        r#""12""#,
        r#""-000012""#,
        r#"" 7 ""#,
        r#""red""#,
        r#""too long""#,
        r#""a\nb""#,
        r#""\u00e9""#,
        r#""2020-01-31""#,
        r#"" 2020-01-31 ""#,
        r#""12:30:00""#,
        "[1]",
        "{}",
    ];
    let mut short = 0;
    for column_type in &types {
        for written in written {
            let Some(text) = column_type.text_of_json(written) else {
                continue;
            };
            short += 1;
            let tree = serde_json::from_str(written).unwrap();
            assert_eq!(
                column_type.value_from_text(text).map_err(|it| it.kind),
                column_type.value_from_json(&tree).map_err(|it| it.kind),
                "{column_type} {written}"
            );
        }
    }
    assert!(short > 200, "{short}");
}
