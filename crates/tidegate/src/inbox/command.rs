//! An event handed to a command: the body on its standard input, the rest in its environment.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStdin, Command};

use super::key;
use super::message::Message;

/// Runs the command to its end; why it failed, if it did.
pub(super) async fn run(command: &str, message: &Message) -> Result<(), String> {
    let mut child = prepare(command, message)
        .spawn()
        .map_err(|error| format!("sh cannot be started: {error}"))?;
    let group = Group(child.id());
    let input = child.stdin.take();
    let feed = feed(input, &message.body);
    tokio::pin!(feed);
    let mut fed = None;
    // A command may end without having read, and leave behind somebody who never will.
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            result = &mut feed, if fed.is_none() => fed = Some(result),
        }
    };
    group.has_ended();
    if let Some(Err(error)) = fed {
        return Err(format!("the body could not be written: {error}"));
    }
    let status = status.map_err(|error| format!("its end was missed: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(ending(status)),
    }
}

fn prepare(command: &str, message: &Message) -> Command {
    let mut prepared = Command::new("sh");
    prepared
        .args(["-c", command])
        .stdin(Stdio::piped())
        // Ctrl-C in a terminal goes to a whole group. It must not reach the event under way,
        // which is to be finished.
        .process_group(0)
        .env_remove(key::VARIABLE);
    for (name, value) in message.environment() {
        match value {
            Some(value) => prepared.env(name, value),
            None => prepared.env_remove(name),
        };
    }
    prepared
}

/// Writes the body and closes the input. A command that does not want it is no failure.
async fn feed(input: Option<ChildStdin>, body: &[u8]) -> io::Result<()> {
    let Some(mut input) = input else {
        return Ok(());
    };
    match input.write_all(body).await {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn ending(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

/// The processes of a command. They are told to end when nobody waits for them any more.
struct Group(Option<u32>);

impl Group {
    /// The command is gone; what it left running on purpose is left alone.
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            // The shell is there, since it was started a moment ago; its `kill` is built in.
            let _ = std::process::Command::new("sh")
                .args(["-c", &format!("kill -s TERM -- -{id}")])
                .stderr(Stdio::null())
                .status();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::message::sample;
    use super::*;

    #[tokio::test]
    async fn a_command_gets_the_bytes_and_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        let body: Vec<u8> = (0..=255).cycle().take(200_000).collect();
        let mut message = sample(json!({"method": "PUT"}));
        message.body = body.clone();
        let command = format!("cat > '{place}/body'; env > '{place}/env'");
        assert_eq!(run(&command, &message).await, Ok(()));
        assert!(std::fs::read(folder.path().join("body")).unwrap() == body);
        let environment = std::fs::read_to_string(folder.path().join("env")).unwrap();
        for line in ["TIDEGATE_METHOD=PUT", "TIDEGATE_DELIVERY_ID=evt_1"] {
            assert!(environment.lines().any(|l| l == line), "{environment}");
        }
    }

    #[tokio::test]
    async fn only_the_end_of_a_command_decides() {
        let mut message = sample(json!({}));
        message.body = vec![b'x'; 1_000_000];
        for (command, outcome) in [
            ("exit 0", Ok(())),
            ("exec <&-; true", Ok(())),
            ("exit 3", Err("exit code 3".to_owned())),
            (
                "no-such-command-here 2> /dev/null",
                Err("exit code 127".to_owned()),
            ),
        ] {
            assert_eq!(run(command, &message).await, outcome, "{command}");
        }
        let killed = run("kill -s KILL $$", &message).await.unwrap_err();
        assert!(killed.contains("signal: 9"), "{killed}");
    }

    #[tokio::test]
    async fn somebody_left_behind_who_holds_the_input_is_not_waited_for() {
        let mut message = sample(json!({}));
        message.body = vec![b'x'; 1_000_000];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("left");
        // It ends when the test does: the folder with its file is gone then.
        let command = format!(
            "exec 3<&0; (while [ -d '{0}' ]; do sleep 0.1; done) > /dev/null 2>&1 & echo > '{1}'",
            folder.path().display(),
            file.display()
        );
        assert_eq!(run(&command, &message).await, Ok(()));
        assert!(file.exists());
    }
}
