//! `tidegate inbox pull` (docs/WEBHOOKS.md) as a person behind a firewall runs it: events reach a
//! command or a URL to the byte, those that failed come again, a server that goes away is waited
//! for, and a signal loses nothing. All against the program itself.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::app::{ADMIN_PASSWORD, sign_in};
use crate::support::client::Client;
use crate::support::engines::{TestDatabase, TestEngine};
use crate::support::process::{Finished, Program, Serving, eventually};
use crate::webhooks::{Hook, any_hook, deliver};

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The variable that holds the key.
const KEY: &str = "TIDEGATE_INBOX_KEY";

/// A server with one webhook, and its owner's key.
struct Inbox {
    /// `None` only while it is started again.
    serving: Option<Serving>,
    base: String,
    room: TestDatabase,
    /// The program with the key in its environment.
    program: Program,
    admin: Client,
    hook: Hook,
    key: String,
}

impl Inbox {
    async fn start(engine: TestEngine) -> Self {
        let room = engine.create_database().await;
        let program = Program::on(&room);
        let serving = program.serve();
        let anonymous = serving.anonymous();
        let admin = anonymous.bearer(&sign_in(&anonymous, "admin", ADMIN_PASSWORD).await);
        let made = admin
            .post("/users/1/api-key", &json!({}))
            .await
            .expect(201)
            .value();
        let key = format!("1:{}", made["api_key"].as_str().expect("an API key"));
        Self {
            hook: any_hook(&admin).await,
            program: program.with(KEY, &key),
            base: serving.base().to_owned(),
            serving: Some(serving),
            room,
            admin,
            key,
        }
    }

    /// Ends the server as `how` does, and starts it again at the same address.
    fn restart(&mut self, how: impl FnOnce(Serving)) {
        how(self.serving.take().expect("a server"));
        let address = self.base.trim_start_matches("http://");
        let again = self.program.clone().with("server.address", address);
        self.serving = Some(again.serve());
    }

    fn stop(self) {
        self.serving.expect("a server").stop();
    }

    fn anonymous(&self) -> Client {
        Client::anonymous(&self.base)
    }

    async fn deliver(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) {
        deliver(&self.anonymous(), &self.hook, headers, body)
            .await
            .expect(200);
    }

    /// The messages that were kept.
    async fn messages(&self) -> Vec<Value> {
        let path = format!("{}/messages", self.hook.path);
        let mut answer = self.admin.get(&path).await.expect(200).value();
        serde_json::from_value(answer["messages"].take()).expect("messages")
    }

    async fn consumer(&self) -> Value {
        self.admin
            .get(&self.hook.consumer("erp", ""))
            .await
            .expect(200)
            .value()
    }

    /// Whether the consumer has had, and done, everything.
    async fn all_done(&self) -> bool {
        let consumer = self.consumer().await;
        ["leased", "waiting", "dead", "behind"]
            .iter()
            .all(|member| consumer[*member] == 0)
    }

    /// What another worker of the same consumer gets at once.
    async fn lease(&self) -> Value {
        let path = self.hook.consumer("erp", "lease");
        self.admin.post(&path, &json!({})).await.expect(200).value()
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let id = self.hook.id.to_string();
        let first = [
            "inbox",
            "pull",
            "--server",
            &self.base,
            "--webhook",
            &id,
            "--consumer",
            "erp",
        ];
        first
            .iter()
            .chain(more)
            .map(|argument| (*argument).to_owned())
            .collect()
    }

    /// Runs the client to its end.
    fn pull(&self, more: &[&str]) -> Finished {
        run(&self.program, &self.arguments(more))
    }

    /// Runs it beside the test.
    fn pulling(&self, more: &[&str]) -> tokio::task::JoinHandle<Finished> {
        let (program, arguments) = (self.program.clone(), self.arguments(more));
        tokio::task::spawn_blocking(move || run(&program, &arguments))
    }

    /// A file of the folder that commands run in.
    fn file(&self, name: &str) -> PathBuf {
        self.room.data_dir().join(name)
    }

    /// What is in one; empty where it is missing.
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }
}

fn run(program: &Program, arguments: &[String]) -> Finished {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    program.run(&arguments)
}

/// The ids of messages.
fn ids(messages: &[Value]) -> Vec<u64> {
    messages
        .iter()
        .map(|message| message["id"].as_u64().expect("an id"))
        .collect()
}

// ---------------------------------------------------------------------------------------------
// A server that keeps what it gets.

/// A request as it came.
#[derive(Debug)]
struct Received {
    head: String,
    body: Vec<u8>,
}

impl Received {
    fn read(stream: &mut TcpStream) -> Self {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        let mut received = Self {
            head: String::from_utf8(head).expect("UTF-8"),
            body: Vec::new(),
        };
        let length = received
            .header("content-length")
            .map_or(0, |value| value.parse().expect("a length"));
        received.body.resize(length, 0);
        stream.read_exact(&mut received.body).expect("a body");
        received
    }

    fn line(&self) -> &str {
        self.head.lines().next().expect("a line")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Answers one request after the other with these heads; the address, and what came.
fn receiver(answers: &'static [&str]) -> (String, mpsc::Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("its address"));
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let received = Received::read(&mut stream);
            sender.send(received).expect("the test is there");
            let answer =
                format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream
                .write_all(answer.as_bytes())
                .expect("the answer is taken");
        }
    });
    (base, requests)
}

on_every_engine! {
    async fn a_command_gets_every_event_to_the_byte_and_once(engine: TestEngine) {
        let mut inbox = Inbox::start(engine).await;
        let address = inbox.hook.inbox.clone();
        inbox.hook.inbox = format!("{address}/a/b?c=%20d&e");
        inbox.deliver(&[("Content-Type", "application/json"), ("X-Note", "one")], "{\"id\": 1}\n").await;
        inbox.hook.inbox = address;
        let all_bytes: Vec<u8> = (0..=255).collect();
        for body in [all_bytes.clone(), Vec::new(), all_bytes.repeat(1500)] {
            inbox.deliver(&[], body).await;
        }

        let command = r#"cat > "body-$TIDEGATE_MESSAGE_ID" && env | grep '^TIDEGATE_[A-Z]' > "env-$TIDEGATE_MESSAGE_ID""#;
        let finished = inbox.pull(&["--exec", command, "--limit", "3", "--once"]);
        let printed = finished.success();
        let messages = inbox.messages().await;
        assert_eq!(messages.len(), 4, "{messages:?}");
        for message in &messages {
            let body = STANDARD.decode(message["body"].as_str().expect("a body")).expect("Base64");
            let piped = std::fs::read(inbox.file(&format!("body-{}", message["id"]))).expect("a file");
            assert!(piped == body, "the body of {message} is another: {piped:?}");
        }
        // In their order, each once, and no more.
        let lines: Vec<&str> = printed.lines().collect();
        let starts: Vec<String> = messages.iter().map(|m| format!("event {}, {} bytes: done in ", m["id"], m["size"])).collect();
        assert_eq!(lines.len(), 5, "{printed}");
        assert!(starts.iter().zip(&lines).all(|(start, line)| line.starts_with(start.as_str())), "{printed}");
        assert_eq!(lines[4], "events: 4 done, 0 failed, 0 given back");
        assert!(inbox.all_done().await, "{}", inbox.consumer().await);
        let again = inbox.pull(&["--exec", command, "--once"]);
        assert_eq!(again.success(), "events: 0 done, 0 failed, 0 given back\n");

        let first = &messages[0];
        let environment = inbox.read(&format!("env-{}", first["id"]));
        let variable = |name: &str| {
            let start = format!("TIDEGATE_{name}=");
            environment.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
        };
        for (name, value) in [
            ("MESSAGE_ID", &first["id"].to_string()),
            ("WEBHOOK_ID", &inbox.hook.id.to_string()),
            ("METHOD", &"POST".to_owned()),
            ("PATH", &"/a/b".to_owned()),
            ("QUERY", &"c=%20d&e".to_owned()),
            ("CONTENT_TYPE", &"application/json".to_owned()),
            ("SIGNATURE", &"unchecked".to_owned()),
            ("DELIVERY", &"1".to_owned()),
        ] {
            assert_eq!(variable(name).as_ref(), Some(value), "{name} in {environment}");
        }
        let headers: Value = serde_json::from_str(&variable("HEADERS").expect("headers")).expect("JSON");
        assert_eq!(headers, first["headers"]);
        assert_eq!(variable("DELIVERY_ID"), None, "{environment}");
        assert!(!environment.contains(KEY), "{environment}");
        inbox.stop();
    }

    async fn an_event_whose_command_fails_comes_again(engine: TestEngine) {
        let inbox = Inbox::start(engine).await;
        inbox.deliver(&[], "one").await;
        let command = "echo $TIDEGATE_DELIVERY >> seen; [ $TIDEGATE_DELIVERY -ge 3 ] || exit 7";
        let finished = inbox.pull(&["--exec", command, "--retry-delay", "0", "--once"]);
        let printed = finished.success();
        assert_eq!(inbox.read("seen"), "1\n2\n3\n", "{printed}");
        assert_eq!(printed.matches("(exit code 7); handed back for 0 s").count(), 2, "{printed}");
        assert!(printed.ends_with("events: 1 done, 2 failed, 0 given back\n"), "{printed}");
        assert!(inbox.all_done().await, "{}", inbox.consumer().await);

        // With a delay it stays away, and holds up nobody.
        inbox.deliver(&[], "two").await;
        inbox.deliver(&[], "three").await;
        let command = "[ $(cat) = three ]";
        let finished = inbox.pull(&["--exec", command, "--retry-delay", "600", "--once"]);
        assert!(finished.success().ends_with("events: 1 done, 1 failed, 0 given back\n"), "{finished:?}");
        let consumer = inbox.consumer().await;
        assert_eq!((&consumer["waiting"], &consumer["leased"]), (&json!(1), &json!(0)), "{consumer}");
        assert_eq!(inbox.lease().await["lease"], Value::Null);
        inbox.stop();
    }

    async fn a_command_may_leave_its_input_and_take_longer_than_the_lease(engine: TestEngine) {
        let inbox = Inbox::start(engine).await;
        inbox.deliver(&[], vec![b'x'; 500_000]).await;
        inbox.deliver(&[], "slow").await;
        inbox.deliver(&[], "after it").await;
        // The lease is of three seconds, and the second event alone takes longer.
        let command = r#"[ "$(head -c 4)" != slow ] || sleep 4"#;
        let finished = inbox.pull(&["--exec", command, "--seconds", "3", "--once"]);
        let printed = finished.success();
        assert!(printed.ends_with("events: 3 done, 0 failed, 0 given back\n"), "{printed}");
        // Each was still held when it was done.
        assert_eq!(printed.matches(" ms\n").count(), 3, "{printed}");
        assert!(inbox.all_done().await, "{}", inbox.consumer().await);
        inbox.stop();
    }

    async fn a_url_gets_the_request_that_came(engine: TestEngine) {
        let mut inbox = Inbox::start(engine).await;
        inbox.hook.inbox += "/a/b%2F?c=d&e=%20f";
        let body: Vec<u8> = (0..=255).collect();
        let headers = [
            ("Content-Type", "application/octet-stream"),
            ("X-Signature", "sha256=00ff"),
            ("User-Agent", "provider/1"),
            ("Authorization", "Bearer of-the-provider"),
        ];
        let anonymous = inbox.anonymous();
        let request = anonymous.request(reqwest::Method::PUT, &inbox.hook.inbox).body(body.clone());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.send().await.expect("an answer").error_for_status().expect("it is kept");

        // A redirect is not followed, and is no success.
        let answers = &["302 Found\r\nLocation: /elsewhere", "500 Internal Server Error", "204 No Content"];
        let (base, requests) = receiver(answers);
        let target = format!("{base}/hooks?from=tidegate");
        let finished = inbox.pull(&["--forward", &target, "--retry-delay", "0", "--once"]);
        let printed = finished.success();
        assert!(printed.contains("302") && printed.contains("500"), "{printed}");
        assert!(printed.ends_with("events: 1 done, 2 failed, 0 given back\n"), "{printed}");

        let received: Vec<Received> = requests.try_iter().collect();
        assert_eq!(received.len(), 3, "{received:?}");
        for request in &received {
            assert_eq!(request.line(), "PUT /hooks/a/b%2F?from=tidegate&c=d&e=%20f HTTP/1.1");
            assert_eq!(request.body, body);
            for (name, value) in &headers[..3] {
                assert_eq!(request.header(name), Some(*value), "{name}: {request:?}");
            }
            assert_eq!(request.header("authorization"), None, "{request:?}");
            assert_eq!(request.header("host"), base.strip_prefix("http://"), "{request:?}");
            assert!(!request.head.contains(&inbox.key[2..]), "{request:?}");
        }
        assert!(inbox.all_done().await, "{}", inbox.consumer().await);

        // Nobody there is a failure as any other.
        inbox.deliver(&[], "two").await;
        let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let finished = inbox.pull(&["--forward", &format!("http://{nobody}/"), "--retry-delay", "600", "--once"]);
        assert!(finished.success().ends_with("events: 0 done, 1 failed, 0 given back\n"), "{finished:?}");
        inbox.stop();
    }

    async fn a_server_that_goes_away_is_waited_for(engine: TestEngine) {
        let mut inbox = Inbox::start(engine).await;
        let command = r#"cat >> seen; [ "$(tail -c 4 seen)" != last ] || kill -s TERM $PPID"#;
        let pulling = inbox.pulling(&["--exec", command]);
        inbox.deliver(&[], "one,").await;
        eventually("the first event", PATIENCE, || async { inbox.read("seen") == "one," && inbox.all_done().await }).await;

        inbox.restart(|serving| drop(serving.stop()));
        inbox.deliver(&[], "two,").await;
        eventually("the second event", PATIENCE, || async { inbox.read("seen") == "one,two," && inbox.all_done().await }).await;

        // Now as a crash would.
        inbox.restart(drop);
        inbox.deliver(&[], "last").await;
        let finished = pulling.await.expect("the client");
        let printed = finished.success();
        assert_eq!(inbox.read("seen"), "one,two,last", "{printed}");
        let waits = printed.matches("waiting for the server: ").count();
        assert!(waits > 0, "{printed}");
        assert_eq!(printed.matches("the server answers again").count(), waits, "{printed}");
        assert!(printed.ends_with("events: 3 done, 0 failed, 0 given back\n"), "{printed}");
        assert!(inbox.all_done().await, "{}", inbox.consumer().await);
        inbox.stop();
    }

    async fn a_signal_gives_back_what_was_not_begun(engine: TestEngine) {
        let inbox = Inbox::start(engine).await;
        for body in ["one", "two", "three"] {
            inbox.deliver(&[], body).await;
        }
        // The command's parent is the client, which is told to stop in the midst of an event.
        let finished = inbox.pull(&["--exec", "cat >> seen; kill -s TERM $PPID", "--seconds", "3600"]);
        let printed = finished.success();
        assert_eq!(inbox.read("seen"), "one", "{printed}");
        assert!(printed.ends_with("events: 1 done, 0 failed, 2 given back\n"), "{printed}");

        let lease = inbox.lease().await;
        let messages: Vec<Value> = serde_json::from_value(lease["messages"].clone()).expect("messages");
        assert_eq!(ids(&messages), ids(&inbox.messages().await)[1..], "{lease}");
        inbox.stop();
    }

    async fn a_signal_while_nothing_is_there_takes_nothing_along(engine: TestEngine) {
        let inbox = Inbox::start(engine).await;
        let pulling = inbox.pulling(&["--exec", "cat >> seen; echo $PPID > id", "--seconds", "3600"]);
        inbox.deliver(&[], "one").await;
        eventually("the first event", PATIENCE, || async { !inbox.read("id").is_empty() && inbox.all_done().await }).await;
        let id = inbox.read("id");
        let told = std::process::Command::new("kill").args(["-s", "INT", id.trim()]).status().expect("kill");
        assert!(told.success(), "the client is gone");
        let finished = pulling.await.expect("the client");
        assert!(finished.success().ends_with("events: 1 done, 0 failed, 0 given back\n"), "{finished:?}");

        // The request that waited is forgotten: the next event is for whoever asks for it.
        inbox.deliver(&[], "two").await;
        let lease = inbox.lease().await;
        assert_eq!(lease["messages"][0]["delivery"], 1, "{lease}");
        assert_eq!(inbox.read("seen"), "one");
        inbox.stop();
    }

    async fn a_second_signal_ends_at_once(engine: TestEngine) {
        let inbox = Inbox::start(engine).await;
        inbox.deliver(&[], "one").await;
        let command = "kill -s TERM $PPID; kill -s INT $PPID; sleep 50; touch survived";
        let finished = inbox.pull(&["--exec", command]);
        assert_eq!(finished.code(), Some(1), "{finished:?}");
        assert!(finished.stderr().contains("ended at once"), "{finished:?}");
        // The output of the client is at its end, so nobody is there who could write to it.
        assert!(!inbox.file("survived").exists(), "the command was left running");
        let consumer = inbox.consumer().await;
        assert_eq!(consumer["leased"], 1, "{consumer}");
        inbox.stop();
    }

    async fn a_client_that_may_not_ends_with_the_reason_and_never_shows_its_key(engine: TestEngine) {
        let inbox = Inbox::start(engine).await;
        inbox.deliver(&[], "one").await;
        let arguments = inbox.arguments(&["--exec", "cat >> seen", "--once"]);
        let wrong = format!("1:{}", "0123456789abcdef".repeat(2));
        std::fs::write(inbox.file("key"), format!("{wrong}\n{}\n", inbox.key)).expect("a file");
        let elsewhere = [&inbox.arguments(&["--exec", "cat >> seen", "--once"])[..], &["--key-file".into(), "key".into()]].concat();
        let mut other = arguments.clone();
        other[5] = (inbox.hook.id + 1).to_string();
        for (program, arguments, part) in [
            (inbox.program.clone().with(KEY, &wrong), &arguments, "does not take the key"),
            // The file is asked before the environment.
            (inbox.program.clone(), &elsewhere, "does not take the key"),
            (inbox.program.clone(), &other, "no such webhook"),
            (inbox.program.clone().without(KEY), &arguments, KEY),
            (inbox.program.clone().with(KEY, &inbox.key[2..]), &arguments, "is no key"),
        ] {
            let finished = run(&program, arguments);
            assert_eq!(finished.code(), Some(1), "{finished:?}");
            let printed = finished.text();
            assert!(printed.contains(part), "{part}: {printed}");
            for key in [&inbox.key, &wrong] {
                let encoded = STANDARD.encode(key);
                assert!(!printed.contains(&key[2..]) && !printed.contains(&encoded), "{printed}");
            }
        }
        assert_eq!(inbox.read("seen"), "");

        // With the right one in the file it goes on.
        std::fs::write(inbox.file("key"), format!("{}\n", inbox.key)).expect("a file");
        run(&inbox.program.clone().without(KEY), &elsewhere).success();
        assert_eq!(inbox.read("seen"), "one");
        inbox.stop();
    }
}
