//! The phases of a request, as whoever measures it wants to know them.
//!
//! Use cases say when a phase is over; they know no clock. Who drives them may put a recorder
//! around them, which looks at the time.

/// What was done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its credentials were looked at.
    Credentials,
    /// It was read.
    Parse,
    /// A plan was made.
    Plan,
    /// The database has answered.
    Transaction,
}

type Recorder = Box<dyn Fn(Phase) + Send>;

tokio::task_local! {
    static RECORDER: Recorder;
}

/// Does something; `recorder` is called as phases of it end.
pub async fn recorded<F: Future>(recorder: impl Fn(Phase) + Send + 'static, work: F) -> F::Output {
    RECORDER.scope(Box::new(recorder), work).await
}

/// Says that a phase is over. Where nobody records, nothing happens.
pub fn ended(phase: Phase) {
    let _ = RECORDER.try_with(|recorder| recorder(phase));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn phases_are_told_to_whoever_asked_for_them() {
        let told: Arc<Mutex<Vec<Phase>>> = Arc::default();
        let to = Arc::clone(&told);
        ended(Phase::Parse);
        recorded(move |phase| to.lock().unwrap().push(phase), async {
            ended(Phase::Parse);
            ended(Phase::Plan);
        })
        .await;
        ended(Phase::Transaction);
        assert_eq!(*told.lock().unwrap(), [Phase::Parse, Phase::Plan]);
    }
}
