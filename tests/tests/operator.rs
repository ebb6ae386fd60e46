//! `warren witness`: the operator of a relay looks at the names it witnesses, refuses one, and takes over
//! what another witness exported, while the relay runs and while it does not.

use std::path::Path;
use std::process::Output;

use serde_json::{Value as Json, json};
use warren_relay::peer::Peer;
use warren_shared::error::{Code, Result};
use warren_shared::proto::names::resolution::Resolution;
use warren_shared::proto::names::resolver::Options;
use warren_tests::peers::member;
use warren_tests::program::{Program, run, run_with};
use warren_tests::relays::ANY_PORT;

const KEPT: &str = "kept-by-alice.p2p";
const REFUSED: &str = "refused-by-court.p2p";

async fn relay(data: &Path) -> (Program, String) {
    relay_with(data, &[]).await
}

async fn relay_with(data: &Path, more: &[&str]) -> (Program, String) {
    let data = data.to_str().expect("a path in UTF-8");
    let args = [
        "relay",
        "--json",
        "--http",
        ANY_PORT,
        "--tcp",
        ANY_PORT,
        "--udp",
        "off",
        "--quic",
        "off",
        "--data-dir",
        data,
    ];
    let mut program = Program::start(&[&args, more].concat());
    let ready = program.event("ready").await;
    (program, ready["http"].as_str().expect("a URL").to_owned())
}

/// The lines of JSON that the command prints, or the error.
async fn witness(data: &Path, args: &[&str]) -> std::result::Result<Vec<Json>, Json> {
    let data = [
        "--data-dir",
        data.to_str().expect("a path in UTF-8"),
        "--json",
    ];
    let output = run(&[&["witness"], args, &data].concat()).await;
    match output.status.success() {
        true => Ok(lines(&output.stdout)),
        false => Err(error(&output)),
    }
}

fn lines(bytes: &[u8]) -> Vec<Json> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn error(output: &Output) -> Json {
    lines(&output.stderr).pop().expect("an error")["error"].clone()
}

/// What an import prints, and the error it ends with, if it does.
async fn import(data: &Path, lines_in: &[&Json]) -> (Vec<Json>, Option<Json>) {
    let data = data.to_str().expect("a path in UTF-8");
    let args = ["witness", "import", "-", "--data-dir", data, "--json"];
    let text: String = lines_in.iter().map(|line| format!("{line}\n")).collect();
    let output = run_with(&args, &text).await;
    let failed = !output.status.success();
    (lines(&output.stdout), failed.then(|| error(&output)))
}

async fn resolve(peer: &Peer, name: &str) -> Result<Resolution> {
    let options = Options {
        fresh: true,
        ..Options::default()
    };
    peer.node.names().resolve(name, options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_lists_exports_and_refuses() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let data = home.path().join("relay");
    let (program, url) = relay(&data).await;
    let alice = member(&url).await.expect("joined");
    let names = alice.node.names();
    for name in [KEPT, REFUSED] {
        names.claim(name, None, |_| {}).await.expect("claimed");
        let text = "text:hello".parse().expect("a resource");
        names.set(name, vec![text]).await.expect("published");
    }
    let owner = names.owner().to_base36();
    let listed = witness(&data, &["list"]).await.expect("it runs");
    let column = |rows: &[Json], name: &str| -> Vec<Json> {
        rows.iter().map(|row| row[name].clone()).collect()
    };
    assert_eq!(column(&listed, "name"), [KEPT, REFUSED]);
    assert_eq!(column(&listed, "state"), ["held", "held"]);
    assert_eq!(column(&listed, "owner"), [owner.as_str(), &owner]);

    resolve(&alice, REFUSED)
        .await
        .expect("nobody refuses it yet");
    let because = ["refuse", REFUSED, "--reason", "a court said so"];
    witness(&data, &because).await.expect("it runs");
    let refused = resolve(&alice, REFUSED).await.expect_err("it is refused");
    assert_eq!(refused.code(), Code::Refused, "{refused}");
    resolve(&alice, KEPT).await.expect("the other one is not");
    let only = witness(&data, &["list", "--refused"])
        .await
        .expect("it runs");
    assert_eq!(column(&only, "name"), [REFUSED]);
    assert_eq!(only[0]["refused"]["reason"], "a court said so");
    assert_eq!(only[0]["state"], "held", "what was signed is not forgotten");

    for (args, code) in [
        (["refuse", "-", "--reason", "x"], "NAME_INVALID"),
        (["refuse", KEPT, "--reason", ""], "INVALID_ARGUMENT"),
    ] {
        assert_eq!(
            witness(&data, &args).await.expect_err("wrong")["code"],
            code
        );
    }

    assert!(program.terminate().await.success());
    let stopped = witness(&data, &["list"])
        .await
        .expect("the database is free");
    assert_eq!(column(&stopped, "name"), [KEPT, REFUSED]);
    witness(&data, &["allow", REFUSED])
        .await
        .expect("the database is free");
    let exported = witness(&data, &["export"])
        .await
        .expect("the database is free");
    assert_eq!(column(&exported, "name"), [KEPT, REFUSED]);
    assert!(
        exported[0]["certificate"]
            .as_str()
            .is_some_and(|text| text.len() > 200)
    );

    let (program, url) = relay(&data).await;
    let bob = member(&url).await.expect("joined");
    resolve(&bob, REFUSED).await.expect("it is allowed again");
    // A crash leaves the socket behind, and nobody on it.
    program.kill().await;
    assert_eq!(
        witness(&data, &["list"])
            .await
            .expect("the database is free")
            .len(),
        2
    );

    let nowhere = witness(home.path(), &["list"])
        .await
        .expect_err("no relay's data");
    assert_eq!(nowhere["code"], "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_to_a_refused_name_can_still_be_changed() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let data = home.path().join("relay");
    let (_program, url) = relay(&data).await;
    let alice = member(&url).await.expect("joined");
    let names = alice.node.names();
    names.claim(KEPT, None, |_| {}).await.expect("claimed");
    let alias = format!("alias:{REFUSED}").parse().expect("a resource");
    names.set(KEPT, vec![alias]).await.expect("published");
    let because = ["refuse", REFUSED, "--reason", "a court said so"];
    witness(&data, &because).await.expect("it runs");
    let refused = resolve(&alice, KEPT).await.expect_err("it leads nowhere");
    assert_eq!(refused.code(), Code::Refused, "{refused}");
    names.show(KEPT).await.expect("it is held");
    let text = "text:hello".parse().expect("a resource");
    names.set(KEPT, vec![text]).await.expect("published");
    resolve(&alice, KEPT).await.expect("it leads nowhere else");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_witness_adopts_what_is_exported_and_nothing_else() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let [first, other, stranger] = ["first", "other", "stranger"].map(|it| home.path().join(it));
    let (_first, url) = relay(&first).await;
    let alice = member(&url).await.expect("joined");
    for name in [KEPT, REFUSED] {
        let claimed = alice.node.names().claim(name, None, |_| {}).await;
        claimed.expect("claimed");
    }
    let exported = witness(&first, &["export"]).await.expect("it runs");
    let [kept, refused] = exported.as_slice() else {
        panic!("{exported:?}");
    };

    let (running, _) = relay_with(&other, &["--join", &url]).await;
    let listed = witness(&other, &["list"]).await.expect("it runs");
    assert_eq!(listed, [] as [Json; 0]);
    let adopted = json!({"adopted": 1, "known": 0, "refused": {}});
    assert_eq!(import(&other, &[kept]).await, (vec![adopted], None));
    let listed = witness(&other, &["list"]).await.expect("it runs");
    assert_eq!(
        (&listed[0]["name"], &listed[0]["state"]),
        (&json!(KEPT), &json!("held"))
    );

    // Changed in its last signature; and under another name.
    let text = kept["certificate"].as_str().expect("base64url");
    let (head, tail) = text.split_at(text.len() - 20);
    let other_tail: String = tail
        .chars()
        .map(|it| if it == 'A' { 'B' } else { 'A' })
        .collect();
    let forged = json!({"name": KEPT, "certificate": format!("{head}{other_tail}")});
    let renamed = json!({"name": "mallory.p2p", "certificate": text});
    let (told, failure) = import(&other, &[kept, &forged, &renamed, &json!("nonsense")]).await;
    let counts = told.last().expect("counts");
    assert_eq!(
        (&counts["adopted"], &counts["known"]),
        (&json!(0), &json!(1))
    );
    let reasons = counts["refused"].as_object().expect("by reason");
    assert_eq!(reasons.values().filter_map(Json::as_u64).sum::<u64>(), 3);
    assert_eq!(counts["refused"]["other-name"], 1);
    assert_eq!(told[2], json!({"name": "line 4", "refused": "unreadable"}));
    assert_eq!(failure.expect("not all was believed")["code"], "REFUSED");

    assert!(running.terminate().await.success());
    let counts = json!({"adopted": 1, "known": 1, "refused": {}});
    let (told, failure) = import(&other, &[kept, refused]).await;
    assert_eq!((told, failure), (vec![counts], None));
    let listed = witness(&other, &["list"]).await.expect("it is free");
    assert_eq!(listed.len(), 2);

    let (_stranger, _) = relay(&stranger).await;
    let (told, failure) = import(&stranger, &[kept]).await;
    assert_eq!(told[0]["refused"], "wrong-network");
    assert!(failure.is_some());
    assert_eq!(witness(&stranger, &["list"]).await, Ok(vec![]));
}
