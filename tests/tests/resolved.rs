//! The cache of a command-line peer: kept between commands, listed and flushed without the network, and
//! never a way below a floor.

use std::path::Path;
use std::process::Output;

use serde_json::{Value as Json, json};
use warren_tests::peers::member;
use warren_tests::program::run;
use warren_tests::relays::{TestRelay, dead_port};

const NAME: &str = "remembered-here.p2p";

fn lines(output: &Output) -> Vec<Json> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let parse = |line| serde_json::from_str(line).expect("lines of JSON");
    text.lines().map(parse).collect()
}

async fn with_data(data: &Path, args: &[&str]) -> Output {
    let data = ["--data-dir", data.to_str().expect("a path"), "--json"];
    run(&[args, &data].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_resolved_is_kept_listed_and_flushed() {
    let relay = TestRelay::first().await;
    let owner = member(&relay.url()).await.expect("joined");
    let names = owner.node.names();
    names.claim(NAME, None, |_| {}).await.expect("claimed");
    let version = async |text: &str| {
        let text = format!("text:{text}").parse().expect("a resource");
        names.set(NAME, vec![text]).await.expect("published").seq
    };
    let first = version("one").await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let data = home.path().join("reader");
    let url = relay.url();
    let resolve = async |flags: &[&str]| {
        let args = [&["resolve", NAME, "--join", url.as_str()], flags].concat();
        lines(&with_data(&data, &args).await).remove(0)
    };
    let list = async || lines(&with_data(&data, &["name", "cache", "list"]).await);

    let found = resolve(&[]).await;
    assert_eq!(found["proofs"][0]["cached"], false);
    let listed = list().await;
    assert_eq!((listed.len(), &listed[0]["name"]), (1, &NAME.into()));
    assert_eq!(listed[0]["entries"][0]["resources"][0]["text"], "one");
    assert_eq!(listed[0]["floor"]["seq"], first);
    assert_eq!(listed[0]["floor"]["generation"], 1);
    for number in ["age", "left", "expires"] {
        assert!(listed[0][number].is_u64(), "{number}: {listed:?}");
    }

    let second = version("two").await;
    let kept = resolve(&[]).await;
    assert_eq!(
        kept["proofs"][0]["cached"], true,
        "another command found it"
    );
    assert_eq!(
        kept["resources"][0]["text"], "one",
        "for as long as it is fresh"
    );
    let nobody = format!("http://127.0.0.1:{}", dead_port());
    let network = relay.node().network().to_string();
    for meant in [&["--network", &network, "--join", &nobody][..], &[]] {
        let away = with_data(&data, &[&["resolve", NAME], meant].concat()).await;
        let away = lines(&away).remove(0);
        assert_eq!(away["resources"], kept["resources"], "no relay");
        assert_eq!(
            (&away["network"], &away["asked"]),
            (&json!(network), &json!(false))
        );
    }
    for asks in [
        &["--join", &nobody][..],
        &["--network", &network, "--fresh"],
    ] {
        let asked = with_data(&data, &[&["resolve", NAME], asks].concat()).await;
        assert!(!asked.status.success(), "{asks:?}");
    }
    let fresh = resolve(&["--fresh"]).await;
    assert_eq!(fresh["resources"][0]["text"], "two");
    assert_eq!(list().await[0]["floor"]["seq"], second);

    let other = lines(&with_data(&data, &["name", "cache", "flush", "other.p2p"]).await);
    assert_eq!(other[0]["flushed"], Json::Array(Vec::new()));
    let flushed = lines(&with_data(&data, &["name", "cache", "flush", NAME]).await);
    assert_eq!(flushed[0]["flushed"][0], NAME);
    let left = list().await;
    assert_eq!(left[0]["entries"], Json::Array(Vec::new()));
    assert_eq!(left[0]["floor"]["seq"], second, "a floor is never lowered");
    assert_eq!(
        resolve(&[]).await["proofs"][0]["cached"],
        false,
        "it was asked for again"
    );

    let other = TestRelay::first().await;
    let args = ["resolve", NAME, "--join", &other.url()];
    let unclaimed = with_data(&data, &args).await;
    let told = String::from_utf8_lossy(&unclaimed.stderr);
    assert!(told.contains("NAME_NOT_FOUND"), "another network: {told}");
    assert_eq!(resolve(&[]).await["asked"], false, "of the first one");
}
