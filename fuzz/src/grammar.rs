//! What must hold for any text that somebody sends as the query of a URL. The fuzz target asks
//! it of what libFuzzer finds, the test `fuzzed` of what it draws.

use tidegate_http::rest::grammar::{canonical, decode, parse, parse_pairs, print};

/// Panics where reading does, where what was read cannot be printed and read again, or where an
/// error does not say what it is.
pub fn hold(text: &str) {
    match parse(text) {
        Ok(asked) => {
            let printed = print(&asked);
            let again = parse_pairs(&printed);
            assert_eq!(
                again.as_ref(),
                Ok(&asked),
                "{text:?} is printed as {printed:?}"
            );
            // On the wire it is the same, but for the order of conditions on different columns.
            let encoded = canonical(&printed);
            let decoded = decode(&encoded).expect("what was encoded can be decoded");
            let sent = parse_pairs(&decoded).expect("what was printed can be read");
            assert_eq!(canonical(&print(&sent)), encoded);
            assert_eq!(canonical(&decoded), encoded);
        }
        Err(error) => {
            assert!(error.code().starts_with("PGRST1"), "{text:?}: {error:?}");
            assert!(!error.to_string().is_empty(), "{text:?}: {error:?}");
            let _ = (error.details(), error.hint());
        }
    }
}
