//! `warren witness`: the operator of a relay looks at the names it witnesses and refuses one, while the
//! relay runs and while it does not.

use std::path::Path;

use serde_json::Value as Json;
use warren_relay::peer::Peer;
use warren_shared::error::{Code, Result};
use warren_shared::proto::names::resolution::Resolution;
use warren_shared::proto::names::resolver::Options;
use warren_tests::peers::member;
use warren_tests::program::{Program, run};
use warren_tests::relays::ANY_PORT;

const KEPT: &str = "kept-by-alice.p2p";
const REFUSED: &str = "refused-by-court.p2p";

async fn relay(data: &Path) -> (Program, String) {
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
    let mut program = Program::start(&args);
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
    let lines = |bytes: &[u8]| -> Vec<Json> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    };
    match output.status.success() {
        true => Ok(lines(&output.stdout)),
        false => Err(lines(&output.stderr).pop().expect("an error")["error"].clone()),
    }
}

async fn resolve(peer: &Peer, name: &str) -> Result<Resolution> {
    let options = Options {
        fresh: true,
        private: false,
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
