//! Keys derived from the pepper, one for each use, so that a value made for one use
//! means nothing in another.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The length of a key and of a digest.
pub(crate) const LENGTH: usize = 32;

/// A secret key for HMAC-SHA256.
#[derive(Clone)]
pub(crate) struct Key([u8; LENGTH]);

impl Key {
    /// The key for one use.
    pub(crate) fn derive(pepper: &[u8], label: &str) -> Self {
        Self(mac(pepper, label.as_bytes()))
    }

    /// HMAC-SHA256 of a message.
    pub(crate) fn mac(&self, message: &[u8]) -> [u8; LENGTH] {
        mac(&self.0, message)
    }
}

/// HMAC-SHA256 (RFC 2104), under a key of any length.
pub(crate) fn mac(key: &[u8], message: &[u8]) -> [u8; LENGTH] {
    // A key of just the block's length is taken as it is; longer ones are hashed down to
    // it, shorter ones are filled up with zeros. Doing the same here needs no error.
    const BLOCK: usize = 64;
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        let hashed: [u8; LENGTH] = <Sha256 as sha2::Digest>::digest(key).into();
        block[..LENGTH].copy_from_slice(&hashed);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// A key for one use by HKDF-SHA256 (RFC 5869) without a salt, for ciphers that take one of
/// this length.
pub(crate) fn expand(secret: &[u8], info: &[u8]) -> [u8; LENGTH] {
    let extracted = mac(&[0; LENGTH], secret);
    // The first block of the output is all of it.
    mac(&extracted, &[info, &[1]].concat())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .map(char::from)
        .collect()
}

/// The bytes of hexadecimal digits in either case.
pub(crate) fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        let value = char::from(byte).to_digit(16)?;
        u8::try_from(value).ok()
    };
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_cases_of_rfc_4231() {
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(
            hex(&mac(b"Jefe", b"what do ya want for nothing?")),
            expected
        );
        let long = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(
            hex(&mac(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            long
        );
    }

    #[test]
    fn the_third_test_case_of_rfc_5869() {
        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
        assert_eq!(hex(&expand(&[0x0b; 22], b"")), expected);
        assert_ne!(expand(b"pepper", b"a"), expand(b"pepper", b"b"));
    }

    #[test]
    fn hexadecimal_is_read_as_it_is_written() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(hex(&bytes).as_bytes()), Some(bytes.clone()));
        assert_eq!(unhex(hex(&bytes).to_uppercase().as_bytes()), Some(bytes));
        for bad in ["0", "0g", "+1", "0x00", " 00", "ä"] {
            assert_eq!(unhex(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn each_use_has_its_own_key() {
        let key = |label| Key::derive(b"pepper", label).mac(b"x");
        assert_ne!(key("a"), key("b"));
        assert_eq!(key("a"), key("a"));
    }
}
