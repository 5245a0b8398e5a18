//! JSON that is written member by member, so that no tree of all of it is ever there.

use serde::Serialize;

/// A document on its way.
pub(super) struct Writer {
    bytes: Vec<u8>,
    // Whether the object that is open has no member yet.
    first: bool,
}

impl Writer {
    /// Begins with an object.
    pub(super) fn new() -> Self {
        Self {
            bytes: b"{".to_vec(),
            first: true,
        }
    }

    /// Adds a member.
    pub(super) fn member(&mut self, name: &str, value: &impl Serialize) {
        self.name(name);
        self.value(value);
    }

    /// Begins an object as a member; [`Self::close`] ends it.
    pub(super) fn open(&mut self, name: &str) {
        self.name(name);
        self.bytes.push(b'{');
        self.first = true;
    }

    /// Ends the object that was begun last.
    pub(super) fn close(&mut self) {
        self.bytes.push(b'}');
        self.first = false;
    }

    /// Ends the document.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.close();
        self.bytes
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.bytes.push(b',');
        }
        self.first = false;
        self.value(&name);
        self.bytes.push(b':');
    }

    fn value(&mut self, value: &impl Serialize) {
        // Texts and trees of JSON values, into memory: nothing there can fail.
        let written = serde_json::to_writer(&mut self.bytes, value);
        debug_assert!(written.is_ok());
    }
}
