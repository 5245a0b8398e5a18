//! `application/x-www-form-urlencoded` as bytes, for the query of a URL and for the body of
//! a form. Names and values stay bytes, so that nothing is lost of what was signed.

use std::borrow::Cow;

/// The pairs of names and values in their order (WHATWG URL, 5.1, without its last step,
/// the reading as UTF-8). A broken escape stands for itself.
///
/// ```
/// use tidegate_domain::webhook::form::pairs;
///
/// let all: Vec<_> = pairs(b"To=%2B1+800&&x").collect();
/// assert_eq!(all, [(b"To".into(), b"+1 800".into()), (b"x".into(), b"".into())]);
/// ```
pub fn pairs(text: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || decode(halves.next().unwrap_or_default());
            (half(), half())
        })
}

/// The value of a name that is there exactly once, if it is UTF-8.
pub fn single(text: &[u8], name: &str) -> Option<String> {
    let mut values = pairs(text).filter(|(found, _)| found.as_ref() == name.as_bytes());
    match (values.next(), values.next()) {
        (Some((_, value)), None) => String::from_utf8(value.into_owned()).ok(),
        _ => None,
    }
}

fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                _ => decoded.push(b'%'),
            },
            _ => decoded.push(*byte),
        }
    }
    Cow::Owned(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    let value = char::from(byte).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_broken_ones_kept() {
        for (text, value) in [
            (&b"a=%41%6a%6A"[..], &b"Ajj"[..]),
            (b"a=1+2%2B3", b"1 2+3"),
            (b"a=%", b"%"),
            (b"a=%4", b"%4"),
            (b"a=%4g%%41", b"%4g%A"),
            (b"a=%FF\xfe", b"\xff\xfe"),
            (b"a=b=c", b"b=c"),
            (b"a", b""),
            (b"&&a=x&", b"x"),
        ] {
            let all: Vec<_> = pairs(text).collect();
            assert_eq!(all.len(), 1, "{text:?}");
            assert_eq!((&*all[0].0, &*all[0].1), (&b"a"[..], value), "{text:?}");
        }
        assert_eq!(pairs(b"").count(), 0);
    }

    #[test]
    fn a_repeated_name_has_no_single_value() {
        let text = b"a=1&b=2&a=3&c=%FF&d=%C3%A4";
        assert_eq!(single(text, "b").as_deref(), Some("2"));
        assert_eq!(single(text, "d").as_deref(), Some("ä"));
        for name in ["a", "c", "x", ""] {
            assert_eq!(single(text, name), None, "{name}");
        }
    }
}
