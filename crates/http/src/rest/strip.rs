//! `nulls=stripped`: members that are null leave a JSON text, at any depth, while it arrives.
//! Elements of arrays stay, since their places mean something.

/// Takes pieces of a JSON text that is known to be one, and gives them without null members.
#[derive(Debug, Default)]
pub(super) struct Stripper {
    open: Vec<Container>,
    place: Place,
    /// The member's name, until it is known whether its value is null.
    name: Vec<u8>,
    in_text: bool,
    escaped: bool,
}

/// What is open.
#[derive(Debug)]
enum Container {
    Array,
    Object {
        /// Whether a member was written.
        written: bool,
    },
}

/// Where the next byte stands.
#[derive(Debug, Default, Clone, Copy)]
enum Place {
    /// In a value.
    #[default]
    Value,
    /// Before a member's name.
    Member,
    /// In a member's name.
    Name,
    /// After a member's name.
    Colon,
    /// Before a member's value.
    Start,
    /// In a null, of which so much is left.
    Null(u8),
}

impl Stripper {
    /// What is left of the next piece.
    pub(super) fn piece(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len());
        for byte in piece {
            self.byte(*byte, &mut out);
        }
        out
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.place {
            Place::Value => self.value(byte, out),
            Place::Member => match byte {
                b'"' => {
                    self.name.clear();
                    self.name.push(byte);
                    self.place = Place::Name;
                }
                b'}' => self.close(byte, out),
                _ => {}
            },
            Place::Name => {
                self.name.push(byte);
                if self.ends_text(byte) {
                    self.place = Place::Colon;
                }
            }
            Place::Colon => {
                if byte == b':' {
                    self.name.push(byte);
                    self.place = Place::Start;
                }
            }
            Place::Start if byte.is_ascii_whitespace() => {}
            Place::Start if byte == b'n' => self.place = Place::Null(3),
            Place::Start => {
                if let Some(Container::Object { written }) = self.open.last_mut() {
                    if *written {
                        out.push(b',');
                    }
                    *written = true;
                }
                out.append(&mut self.name);
                self.place = Place::Value;
                self.value(byte, out);
            }
            Place::Null(left) if left > 1 => self.place = Place::Null(left - 1),
            Place::Null(_) => self.place = Place::Member,
        }
    }

    fn value(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.in_text {
            out.push(byte);
            self.in_text = !self.ends_text(byte);
            return;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' => {
                self.open.push(Container::Object { written: false });
                self.place = Place::Member;
            }
            b'[' => self.open.push(Container::Array),
            b'}' | b']' => return self.close(byte, out),
            b',' if matches!(self.open.last(), Some(Container::Object { .. })) => {
                self.place = Place::Member;
                return;
            }
            _ => {}
        }
        out.push(byte);
    }

    /// Closes what is open; what it stood in is in a value still.
    fn close(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.open.pop();
        self.place = Place::Value;
        out.push(byte);
    }

    /// Whether a byte of a text is the quote at its end.
    fn ends_text(&mut self, byte: u8) -> bool {
        match byte {
            _ if self.escaped => {
                self.escaped = false;
                false
            }
            b'\\' => {
                self.escaped = true;
                false
            }
            byte => byte == b'"',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_members_leave_whatever_the_pieces_are() {
        for (text, stripped) in [
            ("[]", "[]"),
            ("null", "null"),
            (r#"[{"a":null}]"#, "[{}]"),
            (
                r#"[{"a":1,"b":null,"c":"null"},{"a":null,"b":[null,1]}]"#,
                r#"[{"a":1,"c":"null"},{"b":[null,1]}]"#,
            ),
            (
                r#"{"j": {"x" : null , "y": {"z": null}}, "n,\"}": null, "k\\": 1.10}"#,
                r#"{"j":{"y":{}},"k\\":1.10}"#,
            ),
            (
                r#"[{"a":"{\"b\":null,","b":true,"c":{}},[{"d":null}]]"#,
                r#"[{"a":"{\"b\":null,","b":true,"c":{}},[{}]]"#,
            ),
        ] {
            for size in 1..=text.len() {
                let mut stripper = Stripper::default();
                let pieces = text.as_bytes().chunks(size);
                let out: Vec<u8> = pieces.flat_map(|piece| stripper.piece(piece)).collect();
                assert_eq!(String::from_utf8(out).unwrap(), stripped, "{size}");
            }
        }
    }
}
