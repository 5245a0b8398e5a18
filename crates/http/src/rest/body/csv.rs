//! CSV in: lines turned into rows as their bytes arrive, in memory that does not grow with
//! the file.

use std::fmt;

use csv_core::{ReadRecordResult, Reader};

/// The least room for a line.
const ROOM: usize = 4096;

/// What a byte order mark looks like in UTF-8.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Rows, whose texts stand one after the other in one place.
#[derive(Debug, Default)]
pub struct Lines {
    text: String,
    /// Where the fields of all rows end in it.
    ends: Vec<usize>,
    /// The line of the file in which each row ends, counted from 1.
    numbers: Vec<u64>,
    width: usize,
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Line<'l> {
    /// The line of the file in which it ends, counted from 1.
    pub number: u64,
    text: &'l str,
    start: usize,
    ends: &'l [usize],
}

impl Lines {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Line<'_>> {
        let rows = self.ends.chunks(self.width.max(1)).zip(&self.numbers);
        rows.scan(0, |start, (ends, number)| {
            let line = Line {
                number: *number,
                text: &self.text,
                start: *start,
                ends,
            };
            *start = ends.last().copied().unwrap_or(*start);
            Some(line)
        })
    }

    fn push(&mut self, number: u64, text: &str, ends: &[usize]) {
        let start = self.text.len();
        self.text.push_str(text);
        self.ends.extend(ends.iter().map(|end| start + end));
        self.numbers.push(number);
        self.width = ends.len();
    }
}

impl<'l> Line<'l> {
    /// The field at this place; `None` where there is none, and for the word `NULL`.
    #[must_use]
    pub fn field(&self, at: usize) -> Option<&'l str> {
        let end = *self.ends.get(at)?;
        let start = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => self.start,
        };
        self.text.get(start..end).filter(|field| *field != "NULL")
    }
}

/// A CSV text that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CsvError {
    /// A line with more or fewer fields than the header.
    Ragged {
        /// The line of the file in which the row ends, counted from 1.
        line: u64,
        /// How many fields it has.
        found: usize,
        /// How many the header has.
        expected: usize,
    },
    /// Bytes that are not UTF-8.
    Encoding {
        /// The line of the file.
        line: u64,
    },
    /// The file ends inside quotes.
    OpenQuotes {
        /// The line in which the unfinished row begins.
        line: u64,
    },
    /// A line longer than a line may be.
    TooLong {
        /// The line of the file in which the row begins.
        line: u64,
        /// The most bytes there may be.
        most: usize,
    },
    /// Not even a header.
    Empty,
}

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ragged {
                line,
                found,
                expected,
            } => {
                write!(
                    f,
                    "All lines must have the same number of fields: line {line} has {found}, the header {expected}"
                )
            }
            Self::Encoding { line } => write!(f, "Line {line} of the CSV is not UTF-8"),
            Self::OpenQuotes { line } => write!(
                f,
                "The CSV ends inside quotes, in the row that begins in line {line}"
            ),
            Self::TooLong { line, most } => write!(
                f,
                "The row that begins in line {line} is longer than {most} bytes"
            ),
            Self::Empty => f.write_str("The body is empty; CSV begins with a header line"),
        }
    }
}

impl std::error::Error for CsvError {}

/// Takes bytes, gives rows.
pub struct CsvRows {
    reader: Reader,
    /// The fields of the line that is being read, one after the other, and their ends.
    text: Vec<u8>,
    text_used: usize,
    ends: Vec<usize>,
    ends_used: usize,
    header: Option<Vec<String>>,
    /// Line feeds read so far, and where the row that is being read began.
    feeds: u64,
    begun_at: u64,
    in_row: bool,
    ends_in_feed: bool,
    mark: Mark,
    max_line: usize,
}

/// How much of a byte order mark has been seen.
enum Mark {
    Perhaps(usize),
    Past,
}

impl CsvRows {
    /// A reader for lines of at most `max_line` bytes.
    #[must_use]
    pub fn new(max_line: usize) -> Self {
        Self {
            reader: Reader::new(),
            text: vec![0; ROOM],
            text_used: 0,
            ends: vec![0; 16],
            ends_used: 0,
            header: None,
            feeds: 0,
            begun_at: 1,
            in_row: false,
            ends_in_feed: false,
            mark: Mark::Perhaps(0),
            max_line,
        }
    }

    /// The header's names, once it has been read.
    #[must_use]
    pub fn header(&self) -> Option<&[String]> {
        self.header.as_deref()
    }

    /// Reads `bytes` and gives the rows that are complete with them.
    ///
    /// # Errors
    /// The text is not CSV in UTF-8 with as many fields in each line as in the header.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<Lines, CsvError> {
        let mut rows = Lines::default();
        while let Mark::Perhaps(seen) = self.mark {
            match bytes.first() {
                None => return Ok(rows),
                Some(byte) if MARK.get(seen) == Some(byte) => {
                    bytes = &bytes[1..];
                    self.mark = if seen == 2 {
                        Mark::Past
                    } else {
                        Mark::Perhaps(seen + 1)
                    };
                }
                Some(_) => {
                    self.mark = Mark::Past;
                    // It began like a mark and is something else.
                    self.read(&MARK[..seen], &mut rows)?;
                }
            }
        }
        self.read(bytes, &mut rows)?;
        Ok(rows)
    }

    /// Says that all bytes have been fed; gives a last row that has no line feed.
    ///
    /// # Errors
    /// As [`Self::feed`]; quotes that are still open; a file without a header.
    pub fn finish(&mut self) -> Result<Lines, CsvError> {
        let mut rows = Lines::default();
        if let Mark::Perhaps(seen) = self.mark {
            self.mark = Mark::Past;
            self.read(&MARK[..seen], &mut rows)?;
        }
        // The reader takes the end of the file for the end of quotes. A line feed tells: it ends
        // a row, is nothing after one, and is text only inside quotes.
        let before = self.text_used;
        self.read(b"\n", &mut rows)?;
        if self.text_used > before {
            return Err(CsvError::OpenQuotes {
                line: self.begun_at,
            });
        }
        if self.header.is_none() {
            Err(CsvError::Empty)
        } else {
            Ok(rows)
        }
    }

    fn read(&mut self, mut bytes: &[u8], rows: &mut Lines) -> Result<(), CsvError> {
        // An empty slice would tell the reader that the file is over; it never gets one.
        while !bytes.is_empty() {
            let used = self.step(bytes, rows)?;
            bytes = &bytes[used..];
        }
        Ok(())
    }

    /// Lets the reader go on once; says how many bytes it took.
    fn step(&mut self, bytes: &[u8], rows: &mut Lines) -> Result<usize, CsvError> {
        loop {
            let (result, used, written, ended) = self.reader.read_record(
                bytes,
                &mut self.text[self.text_used..],
                &mut self.ends[self.ends_used..],
            );
            self.text_used += written;
            self.ends_used += ended;
            let taken = &bytes[..used];
            if !self.in_row
                && let Some(blanks) = taken.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))
            {
                // Blank lines before a row are not part of it.
                self.begun_at = self.feeds + 1 + feeds(&taken[..blanks]);
                self.in_row = true;
            }
            self.feeds += feeds(taken);
            self.ends_in_feed = taken.last() == Some(&b'\n');
            match result {
                ReadRecordResult::InputEmpty => return Ok(used),
                ReadRecordResult::OutputFull => self.grow()?,
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    self.row(rows)?;
                    return Ok(used);
                }
                ReadRecordResult::End => return Ok(used),
            }
            if used > 0 {
                return Ok(used);
            }
        }
    }

    fn grow(&mut self) -> Result<(), CsvError> {
        if self.text.len() >= self.max_line {
            return Err(CsvError::TooLong {
                line: self.begun_at,
                most: self.max_line,
            });
        }
        let room = (self.text.len() * 2).min(self.max_line);
        self.text.resize(room, 0);
        Ok(())
    }

    /// Takes a finished row, the first as the header.
    fn row(&mut self, rows: &mut Lines) -> Result<(), CsvError> {
        let line = if self.ends_in_feed {
            self.feeds.max(1)
        } else {
            self.feeds + 1
        };
        let count = std::mem::take(&mut self.ends_used);
        self.text_used = 0;
        self.in_row = false;
        let ends = self.ends.get(..count).unwrap_or_default();
        let length = ends.last().copied().unwrap_or(0);
        let text = self.text.get(..length).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| CsvError::Encoding { line })?;
        // Halves of a character in two fields are none.
        if !ends.iter().all(|end| text.is_char_boundary(*end)) {
            return Err(CsvError::Encoding { line });
        }
        match &self.header {
            None => {
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let names = starts
                    .zip(ends)
                    .filter_map(|(from, end)| text.get(from..*end));
                self.header = Some(names.map(str::to_owned).collect());
            }
            Some(header) if header.len() != count => {
                return Err(CsvError::Ragged {
                    line,
                    found: count,
                    expected: header.len(),
                });
            }
            Some(_) => rows.push(line, text, ends),
        }
        // One long line shall not keep its room for all others.
        if self.text.len() > ROOM * 16 {
            self.text.truncate(ROOM);
            self.text.shrink_to_fit();
        }
        Ok(())
    }
}

fn feeds(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The number and the fields of each row.
    type Rows = Vec<(u64, Vec<Option<String>>)>;

    fn rows(lines: &Lines, width: usize) -> Rows {
        let fields = |line: Line<'_>| {
            (0..width)
                .map(|at| line.field(at).map(str::to_owned))
                .collect()
        };
        lines
            .iter()
            .map(|line| (line.number, fields(line)))
            .collect()
    }

    /// Reads a file that arrives in pieces of `size` bytes.
    fn read(text: &[u8], size: usize) -> Result<(Vec<String>, Rows), CsvError> {
        let mut csv = CsvRows::new(100_000);
        let mut all = Vec::new();
        let mut lines = Vec::new();
        for piece in text.chunks(size) {
            lines.push(csv.feed(piece)?);
        }
        lines.push(csv.finish()?);
        let header = csv.header().unwrap_or_default().to_vec();
        for lines in lines {
            assert_eq!(lines.is_empty(), lines.iter().next().is_none());
            all.extend(rows(&lines, header.len()));
        }
        Ok((header, all))
    }

    fn line(number: u64, fields: &[Option<&str>]) -> (u64, Vec<Option<String>>) {
        let fields = fields.iter().map(|field| field.map(str::to_owned));
        (number, fields.collect())
    }

    #[test]
    fn fields_are_the_same_however_the_bytes_arrive() {
        let text =
            "\u{feff}id,\"na,me\"\r\n1,\"a \"\"b\"\"\nc\"\n\n2,NULL\r\n3,\n\"4\",🦀é".as_bytes();
        for size in 1..=text.len() {
            let (header, rows) = read(text, size).unwrap();
            assert_eq!(header, ["id", "na,me"], "{size}");
            assert_eq!(
                rows,
                [
                    line(3, &[Some("1"), Some("a \"b\"\nc")]),
                    line(5, &[Some("2"), None]),
                    line(6, &[Some("3"), Some("")]),
                    line(7, &[Some("4"), Some("🦀é")]),
                ],
                "{size}"
            );
        }
    }

    #[test]
    fn faults_name_their_line() {
        for (text, fault) in [
            (
                &b"a,b\n1,2\n1\n"[..],
                CsvError::Ragged {
                    line: 3,
                    found: 1,
                    expected: 2,
                },
            ),
            (
                b"a,b\r\n1,2\r\n1,2,3\r\n4,5",
                CsvError::Ragged {
                    line: 3,
                    found: 3,
                    expected: 2,
                },
            ),
            (
                b"a,b\n1,2\n\n1",
                CsvError::Ragged {
                    line: 4,
                    found: 1,
                    expected: 2,
                },
            ),
            (b"a\n\xff\n", CsvError::Encoding { line: 2 }),
            (b"a,b\n\xc3,\xa9\n", CsvError::Encoding { line: 2 }),
            (b"\xef\xbb", CsvError::Encoding { line: 1 }),
            (b"a,b\n1,\"x\n2,y\n", CsvError::OpenQuotes { line: 2 }),
            (b"a\r\"\n", CsvError::OpenQuotes { line: 1 }),
            (b"", CsvError::Empty),
            (b"\n\n", CsvError::Empty),
            (b"\xef\xbb\xbf", CsvError::Empty),
        ] {
            for size in 1..=text.len().max(1) {
                assert_eq!(read(text, size).unwrap_err(), fault, "{text:?} {size}");
            }
        }
    }

    #[test]
    fn a_header_alone_has_no_rows_and_many_columns_fit() {
        assert_eq!(read(b"a,b", 2).unwrap().1, Rows::new());
        let wide = format!(
            "{}\n{}",
            vec!["c"; 900].join(","),
            vec!["value"; 900].join(",")
        );
        let (header, rows) = read(wide.as_bytes(), 7).unwrap();
        assert_eq!(
            (header.len(), rows[0].1[899].as_deref()),
            (900, Some("value"))
        );
    }

    #[test]
    fn a_line_has_an_end() {
        let mut csv = CsvRows::new(10_000);
        csv.feed(b"a\n\"").unwrap();
        let piece = [b'x'; 1000];
        let fault = (0..20).find_map(|_| csv.feed(&piece).err());
        assert_eq!(
            fault,
            Some(CsvError::TooLong {
                line: 2,
                most: 10_000
            })
        );
        // A long line that fits leaves no trace.
        let long = format!("a\n{}\nb\n", "x".repeat(90_000));
        let (_, rows) = read(long.as_bytes(), 4096).unwrap();
        assert_eq!(rows[0].1[0].as_ref().map(String::len), Some(90_000));
        assert_eq!(rows[1], line(3, &[Some("b")]));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(
            rows in prop::collection::vec(prop::collection::vec("[a-z\",\r\n é]{0,6}", 3), 0..6),
            size in 1_usize..9,
        ) {
            let quote = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
            let mut text = "a,b,c\n".to_owned();
            for row in &rows {
                text += &(row.iter().map(quote).collect::<Vec<_>>().join(",") + "\n");
            }
            let expected: Vec<Vec<_>> = rows.iter().map(|row| row.iter().cloned().map(Some).collect()).collect();
            let read: Vec<Vec<_>> = read(text.as_bytes(), size).unwrap().1.into_iter().map(|(_, fields)| fields).collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(prop::sample::select(b"a,\"\r\n\xff\xef\xbb\xbf".to_vec()), 0..40), size in 1_usize..5) {
            let whole = read(&bytes, 1000);
            let pieces = read(&bytes, size);
            prop_assert_eq!(whole, pieces);
        }
    }
}
