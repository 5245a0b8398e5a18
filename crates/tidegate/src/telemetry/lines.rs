//! Log lines on their way to standard error.
//!
//! A request must not wait for whoever reads the log, so lines are collected and written by a
//! thread of their own, many at a time, [`GATHER`] after the first of them. None is lost: where
//! they come faster than they are read, whoever adds one writes, and waits as long as that takes.
//! Warnings and errors are written at once, with all that came before them, and so is everything
//! once the program is about to end. Only an end that it does not see coming (a signal that it does
//! not wait for, an abort) takes with it what was about to be written.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long lines wait for others.
const GATHER: Duration = Duration::from_millis(10);

/// The stack of the thread that writes. An allocator needs more than the thread itself.
const STACK: usize = 512 * 1024;

/// How long a reader is left alone that takes nothing at the moment.
const PAUSE: Duration = Duration::from_millis(5);

/// How many bytes may wait.
const FULL: usize = 256 * 1024;

/// Where lines are put.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    waiting: Mutex<Vec<u8>>,
    arrived: Condvar,
    // Held while bytes are taken and written, so that they leave in their order. It is taken
    // before `waiting`.
    out: Mutex<Out>,
    at_once: AtomicBool,
}

struct Out {
    to: Box<dyn Write + Send>,
    taken: Vec<u8>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where nobody has it, this thread included.
fn lock_if_free<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Out {
    /// Writes what was taken. Nobody is told where it cannot be written: there is no other place
    /// to tell it.
    fn write(&mut self) {
        let mut rest = self.taken.as_slice();
        while !rest.is_empty() {
            match self.to.write(rest) {
                Ok(0) => break,
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    // Whoever shares the file may have it so that writing does not wait.
                    ErrorKind::WouldBlock => thread::sleep(PAUSE),
                    _ => break,
                },
            }
        }
        let _ = self.to.flush();
        self.taken.clear();
        // A flood must not be remembered for ever.
        self.taken.shrink_to(FULL);
    }
}

impl Lines {
    /// Lines to `to`; they wait until [`Self::start`].
    pub(super) fn new(to: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Shared {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            out: Mutex::new(Out {
                to: Box::new(to),
                taken: Vec::new(),
            }),
            at_once: AtomicBool::new(false),
        }))
    }

    /// Starts the thread that writes them.
    pub(super) fn start(&self) {
        let lines = self.clone();
        let started = thread::Builder::new()
            .name("log".to_owned())
            .stack_size(STACK)
            .spawn(move || lines.follow());
        if started.is_err() {
            self.end();
        }
    }

    /// Writes what waits, and from now on every line at once.
    pub(super) fn end(&self) {
        self.0.at_once.store(true, Ordering::Relaxed);
        self.write_out();
    }

    fn follow(&self) {
        loop {
            let waiting = lock(&self.0.waiting);
            let arrived = self.0.arrived.wait_while(waiting, |it| it.is_empty());
            drop(arrived);
            thread::sleep(GATHER);
            self.write_out();
        }
    }

    fn add(&self, line: &[u8], at_once: bool) {
        let mut waiting = lock(&self.0.waiting);
        let first = waiting.is_empty();
        waiting.extend_from_slice(line);
        let full = waiting.len() >= FULL;
        drop(waiting);
        if full || at_once || self.0.at_once.load(Ordering::Relaxed) {
            self.write_out();
        } else if first {
            self.0.arrived.notify_one();
        }
    }

    /// Writes all that waits.
    fn write_out(&self) {
        let mut out = lock(&self.0.out);
        std::mem::swap(&mut out.taken, &mut *lock(&self.0.waiting));
        out.write();
    }

    /// The same for whoever must not wait for another thread, nor for itself.
    pub(super) fn write_out_if_free(&self) {
        let Some(mut out) = lock_if_free(&self.0.out) else {
            return;
        };
        let Some(mut waiting) = lock_if_free(&self.0.waiting) else {
            return;
        };
        std::mem::swap(&mut out.taken, &mut *waiting);
        drop(waiting);
        out.write();
    }
}

/// One line.
pub(super) struct Line<'a> {
    lines: &'a Lines,
    at_once: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.add(line, self.at_once);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            lines: self,
            at_once: false,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a> {
        Line {
            lines: self,
            at_once: *metadata.level() <= Level::WARN,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// What was written, a piece at a time.
    struct Pieces(mpsc::Sender<String>);

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let piece = String::from_utf8(bytes.to_vec()).unwrap();
            self.0.send(piece).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn warnings_leave_at_once_with_all_before_them() {
        let (sender, written) = mpsc::channel();
        // Without the thread: what is here waits for ever.
        let lines = Lines::new(Pieces(sender));
        let layer = tracing_subscriber::fmt::layer()
            .without_time()
            .with_ansi(false)
            .with_target(false)
            .with_writer(lines.clone());
        let log = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(log, || {
            tracing::info!("first");
            tracing::info!("second");
            assert!(written.try_recv().is_err());
            tracing::warn!("third");
            let piece = written.try_recv().unwrap();
            assert_eq!(piece, " INFO first\n INFO second\n WARN third\n");
            tracing::info!("fourth");
            assert!(written.try_recv().is_err());
            lines.end();
            assert_eq!(written.try_recv().unwrap(), " INFO fourth\n");
            tracing::info!("after the end");
            assert_eq!(written.try_recv().unwrap(), " INFO after the end\n");
        });
    }

    #[test]
    fn lines_leave_by_themselves_and_in_their_order() {
        let (sender, written) = mpsc::channel();
        let lines = Lines::new(Pieces(sender));
        lines.start();
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let lines = lines.clone();
                std::thread::spawn(move || {
                    for number in 0..5000 {
                        let line = format!("{thread} {number} {}\n", "x".repeat(100));
                        lines.add(line.as_bytes(), number % 1000 == 0);
                    }
                })
            })
            .collect();
        let mut text = String::new();
        while text.lines().count() < 20_000 {
            text += &written.recv().unwrap();
        }
        threads.into_iter().for_each(|it| it.join().unwrap());
        let mut next = [0; 4];
        for line in text.lines() {
            let mut words = line.split(' ');
            let mut number = || words.next().unwrap().parse::<usize>().unwrap();
            let (thread, number) = (number(), number());
            assert_eq!(number, next[thread]);
            next[thread] += 1;
        }
        assert_eq!(next, [5000; 4]);
    }

    /// Takes three bytes at a time, and first of all says why it takes none.
    struct Busy(Pieces, Vec<ErrorKind>);

    impl Write for Busy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.1.pop() {
                Some(why) => Err(why.into()),
                None => {
                    let taken = bytes.len().min(3);
                    self.1.push(ErrorKind::WouldBlock);
                    self.0.write(&bytes[..taken])
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_takes_nothing_now_gets_the_rest_later() {
        let (sender, written) = mpsc::channel();
        let reasons = vec![ErrorKind::Interrupted, ErrorKind::WouldBlock];
        let lines = Lines::new(Busy(Pieces(sender), reasons));
        lines.add(b"first\nsecond\n", true);
        let text: String = written.try_iter().collect();
        assert_eq!(text, "first\nsecond\n");

        let (sender, written) = mpsc::channel();
        let lines = Lines::new(Busy(Pieces(sender), vec![ErrorKind::BrokenPipe]));
        lines.add(b"lost\n", true);
        lines.add(b"next\n", true);
        assert_eq!(written.try_iter().collect::<String>(), "next\n");
    }

    #[test]
    fn a_panic_waits_for_no_one() {
        let (sender, written) = mpsc::channel();
        let lines = Lines::new(Pieces(sender));
        lines.add(b"before\n", false);
        let out = lock(&lines.0.out);
        lines.write_out_if_free();
        drop(out);
        let waiting = lock(&lines.0.waiting);
        lines.write_out_if_free();
        drop(waiting);
        assert!(written.try_recv().is_err());
        lines.write_out_if_free();
        assert_eq!(written.try_recv().unwrap(), "before\n");
    }

    #[test]
    fn a_line_too_many_is_written_by_whoever_adds_it() {
        let (sender, written) = mpsc::channel();
        let lines = Lines::new(Pieces(sender));
        let line = [b'x'; 1024];
        for _ in 1..FULL / line.len() {
            lines.add(&line, false);
        }
        assert!(written.try_recv().is_err());
        lines.add(&line, false);
        assert_eq!(written.try_recv().unwrap().len(), FULL);
    }
}
