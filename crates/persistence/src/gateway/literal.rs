//! Constant defaults, from the engines' texts to the canonical one that drafts have: the
//! text from which the domain reads the value again.

use tidegate_domain::gateway::column_type::ColumnType;
use tidegate_domain::gateway::schema::DefaultValue;
use tidegate_domain::gateway::value::Value;

use super::ddl::{hex, unhex};

/// A constant. A text that is no value of the type (of a table made elsewhere) is shown as
/// it is.
pub(crate) fn literal_default(column_type: &ColumnType, text: &str) -> DefaultValue {
    let value = column_type.value_from_text(text).ok();
    let canonical = value.and_then(|value| column_type.literal_text(&value));
    DefaultValue::Literal(canonical.unwrap_or_else(|| text.to_owned()))
}

/// A constant of a column that holds bytes: `\x` and hexadecimal digits.
pub(crate) fn bytes_default(bytes: &[u8]) -> DefaultValue {
    DefaultValue::Literal(format!("\\x{}", hex(bytes)))
}

/// The bytes of such a constant.
pub(crate) fn literal_bytes(literal: &str) -> Vec<u8> {
    literal
        .strip_prefix("\\x")
        .and_then(unhex)
        .unwrap_or_else(|| literal.as_bytes().to_vec())
}

/// A constant of a column that holds bits: as many binary digits as it has.
pub(crate) fn bits_default(column_type: &ColumnType, bits: u64) -> DefaultValue {
    DefaultValue::Literal(
        column_type
            .literal_text(&Value::UInt(bits))
            .unwrap_or_default(),
    )
}

/// The bits of such a constant.
pub(crate) fn literal_bits(literal: &str) -> u64 {
    u64::from_str_radix(literal, 2).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_texts_stay_as_they_are() {
        let cases = [
            ("int", "-5", "-5"),
            (
                "bigint unsigned",
                "18446744073709551615",
                "18446744073709551615",
            ),
            ("decimal(10,2)", "1.5", "1.50"),
            ("double", "1e20", "100000000000000000000"),
            ("double", "5", "5"),
            ("double", "0.1", "0.1"),
            ("float", "0.1", "0.1"),
            ("bit(5)", "101", "00101"),
            ("binary(3)", "\\x6162", "\\x616200"),
            ("varbinary(3)", "ab", "\\x6162"),
            ("time(3)", "1:02:03.5", "01:02:03.500"),
            ("date", "not one", "not one"),
        ];
        for (column_type, text, expected) in cases {
            let column_type = super::super::type_text::read_type(column_type, false).unwrap();
            let once = literal_default(&column_type, text);
            assert_eq!(
                once,
                DefaultValue::Literal(expected.to_owned()),
                "{column_type}"
            );
            assert_eq!(literal_default(&column_type, expected), once);
        }
        assert_eq!(
            (literal_bytes("\\x00ff"), literal_bits("00101")),
            (vec![0, 255], 5)
        );
    }
}
