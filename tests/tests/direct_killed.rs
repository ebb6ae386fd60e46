//! Direct messages while everybody is killed in turn: the sender, the relay and the recipient are programs of their
//! own, and none of them is given a chance to tidy up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use warren_relay::peer::Peer;
use warren_shared::net::direct::{Recipient, Sent};
use warren_shared::platform;
use warren_shared::proto::direct::State;
use warren_shared::proto::key::PublicKey;
use warren_shared::proto::record::Value;
use warren_tests::count;
use warren_tests::killed::full_relay;
use warren_tests::peers::{arguments, loopback};
use warren_tests::program::Program;
use warren_tests::relays::{ANY_PORT, dead_port};
use warren_tests::wait::within;

/// Tells the program that is the sender what to do: the relay, its folder, the recipient, how many messages.
const ORDERS: &str = "WARREN_TEST_SENDER";
/// Messages that it has under way.
const WINDOW: usize = 16;

/// This program again, as the sender.
struct Sender {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Sender {
    /// Started; and the number of the message that it goes on with.
    async fn start(orders: &str) -> (Sender, usize) {
        let me = std::env::current_exe().expect("this program");
        let test = "sends_what_it_is_told_until_it_is_killed";
        let mut child = Command::new(me)
            .args(["--ignored", "--exact", test, "--nocapture"])
            .env(ORDERS, orders)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let out = child.stdout.take().expect("piped");
        let lines = BufReader::new(out).lines();
        let mut sender = Sender { child, lines };
        let from = within("the sender has joined", sender.word("from")).await;
        let from = from.expect("it goes on");
        (sender, from)
    }

    /// The number in the next line that begins with this; nothing when there are no more lines.
    async fn word(&mut self, word: &str) -> Option<usize> {
        while let Some(line) = self.lines.next_line().await.expect("readable output") {
            if let Some((_, number)) = line.split_once(&format!("{word} ")) {
                return Some(number.parse().expect("a number"));
            }
        }
        None
    }

    /// SIGKILL; how many messages were accepted by then, as far as it could say.
    async fn kill(mut self) -> usize {
        self.child.kill().await.expect("killed");
        let mut accepted = 0;
        while let Some(number) = self.word("accepted").await {
            accepted = number;
        }
        accepted
    }
}

async fn delivered(sent: &Sent) {
    within("a message is delivered", sent.delivered())
        .await
        .expect("it is taken");
}

/// The number of the message that comes after the last one in the history.
async fn next_number(peer: &Peer, to: PublicKey) -> usize {
    let history = peer.node.direct().history(to, None, 1).await;
    let last = history.expect("it can be read").pop();
    let Some(last) = last else { return 0 };
    let Value::Json(text) = last.body else {
        panic!("only numbers were sent");
    };
    let [_, number]: [usize; 2] = serde_json::from_str(&text).expect("two numbers");
    number + 1
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is a part of the test below, which starts it"]
async fn sends_what_it_is_told_until_it_is_killed() {
    let Ok(orders) = std::env::var(ORDERS) else {
        return;
    };
    let mut words = orders.split(' ');
    let mut word = || words.next().expect("four words").to_owned();
    let (url, home, to, total) = (word(), word(), word(), word());
    let mut args = arguments(&[url], &[]);
    args.data_dir = Some(home.into());
    let peer = args.start(vec![loopback()]).await.expect("it joins");
    let to = PublicKey::from_base36(&to).expect("a key");
    let total: usize = total.parse().expect("a number");
    let life = u32::from_le_bytes(platform::entropy());
    let next = next_number(&peer, to).await;
    println!("\nfrom {next}");
    let mut under_way = Vec::new();
    for number in next..total {
        let body = Value::Json(format!("[{life},{number}]"));
        let sent = peer.node.direct().send(Recipient::Author(to), body).await;
        under_way.push(sent.expect("there is room"));
        println!("\naccepted {}", number + 1);
        if under_way.len() == WINDOW {
            let half = under_way.drain(..WINDOW / 2).next_back().expect("one");
            delivered(&half).await;
        }
    }
    // Also those that it sent before it was killed.
    loop {
        let history = peer.node.direct().history(to, None, 2 * WINDOW).await;
        let history = history.expect("it can be read");
        let Some(open) = history.iter().find(|one| one.state != State::Delivered) else {
            break;
        };
        let state = peer.node.direct().state(open.id, Some(open.state));
        let _ = within("a message comes further", state).await;
    }
    println!("\ndelivered {total}");
    std::future::pending::<()>().await;
}

/// The three programs.
struct Play {
    relay: Option<Program>,
    recipient: Option<Program>,
    sender: Option<Sender>,
    url: String,
    orders: String,
    /// How many messages were accepted, as far as the sender could say.
    accepted: usize,
}

impl Play {
    async fn kill_relay(&mut self, arguments: &[String]) {
        self.relay.take().expect("it runs").kill().await;
        let mut relay = Program::start(arguments);
        relay.event("ready").await;
        self.relay = Some(relay);
    }

    async fn kill_sender(&mut self) {
        let sender = self.sender.take().expect("it runs");
        self.accepted = self.accepted.max(sender.kill().await);
        let (sender, from) = Sender::start(&self.orders).await;
        assert!(from >= self.accepted, "{from} of {}", self.accepted);
        self.sender = Some(sender);
    }

    async fn kill_recipient(&mut self, home: &Path, heard: &mut Heard) {
        let recipient = self.recipient.take().expect("it runs");
        for event in recipient.kill_and_read("message").await {
            heard.hear(&event);
        }
        heard.crashes += 1;
        self.recipient = Some(listener(&self.url, home).await.0);
    }
}

/// What the recipient has told.
#[derive(Default)]
struct Heard {
    ids: BTreeSet<String>,
    numbers: BTreeSet<usize>,
    /// The last number of each life of the sender.
    last: BTreeMap<usize, usize>,
    crashes: usize,
}

impl Heard {
    fn hear(&mut self, event: &serde_json::Value) {
        let body = event["body"].clone();
        let [life, number]: [usize; 2] = serde_json::from_value(body).expect("two numbers");
        if !self.ids.insert(event["id"].to_string()) {
            assert!(self.crashes > 0, "{number} came twice, and nothing crashed");
            return;
        }
        assert!(self.numbers.insert(number), "{number} came under two ids");
        if let Some(before) = self.last.insert(life, number) {
            assert_eq!(number, before + 1, "in order");
        }
    }
}

/// A listener, and the key of its author.
async fn listener(url: &str, home: &Path) -> (Program, String) {
    let home = home.to_str().expect("a path in text");
    let args = ["listen", "--namespace", "lobby", "--listen", ANY_PORT];
    let rest = ["--join", url, "--data-dir", home, "--json"];
    let mut program = Program::start(&[args.as_slice(), rest.as_slice()].concat());
    let listening = program.event("listening").await;
    let author = listening["author"].as_str().expect("a key").to_owned();
    (program, author)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_accepted_is_lost_whoever_is_killed() {
    let homes = [(); 3].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let [at_relay, at_sender, at_recipient] = homes.each_ref().map(|home| home.path());
    let [http, tcp] = [dead_port(), dead_port()].map(|port| format!("127.0.0.1:{port}"));
    let relay_arguments = full_relay(at_relay, [&http, &tcp, "off", "off"]);
    let mut relay = Program::start(&relay_arguments);
    let ready = relay.event("ready").await;
    let url = ready["http"].as_str().expect("a URL").to_owned();
    let (recipient, to) = listener(&url, at_recipient).await;
    let total = count(160, 2_000);
    let orders = format!("{url} {} {to} {total}", at_sender.display());
    let (sender, from) = Sender::start(&orders).await;
    assert_eq!(from, 0);
    let mut play = Play {
        relay: Some(relay),
        recipient: Some(recipient),
        sender: Some(sender),
        url,
        orders,
        accepted: 0,
    };
    let mut heard = Heard::default();
    let mut acts = 0;
    while heard.numbers.len() < total {
        let recipient = play.recipient.as_mut().expect("it runs");
        heard.hear(&recipient.event("message").await);
        // Eight times, in the middle of it.
        if heard.numbers.len() > total * (acts + 1) / 10 && acts < 8 {
            acts += 1;
            match acts % 4 {
                0 => {
                    play.kill_sender().await;
                    play.kill_relay(&relay_arguments).await;
                }
                1 => play.kill_sender().await,
                2 => play.kill_relay(&relay_arguments).await,
                _ => play.kill_recipient(at_recipient, &mut heard).await,
            }
        }
    }
    assert_eq!(heard.numbers.last(), Some(&(total - 1)));
    let mut sender = play.sender.take().expect("it runs");
    let known = within("the sender hears of it", sender.word("delivered")).await;
    assert_eq!(known, Some(total));
    sender.kill().await;
}
