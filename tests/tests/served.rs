//! Programs that answer commands, the best of several, and what is remembered of those who answered.

use serde_json::{Value, json};
use warren_shared::error::Code;
use warren_shared::net::rpc::{Allow, Ask, handler};
use warren_shared::proto::select::{TERMS, Weights};
use warren_tests::peers::member;
use warren_tests::program::{Program, run, run_with};
use warren_tests::relays::{ANY_PORT, TestRelay};
use warren_tests::wait::{until, within};

/// Starts `warren serve` with these arguments; says who it is.
async fn serve(url: &str, args: &[&str], command: &[&str]) -> (Program, String) {
    let more = ["--listen", ANY_PORT, "--join", url, "--json", "--"];
    let mut program = Program::start(&[&["serve"], args, &more, command].concat());
    let serving = program.event("serving").await;
    let peer = serving["peer"].as_str().expect("a peer id").to_owned();
    (program, peer)
}

/// Runs `warren call`: the lines it prints.
async fn call(url: &str, args: &[&str]) -> Result<Vec<Value>, (Option<i32>, String)> {
    let output = run(&[&["call"], args, &["--join", url]].concat()).await;
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err((output.status.code(), told(&output.stderr)));
    }
    let out = told(&output.stdout);
    Ok(out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_answers_calls_and_its_failures_are_told() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let script = r#"read params
case "$params" in
  *moody*) echo '{"code": 42, "message": "full moon", "data": [1]}'; exit 1;;
  *broken*) exit 3;;
  *) echo "$params" | tr a-z A-Z;;
esac"#;
    let allowed = ["upper", "--namespace", "work", "--allow", "anyone"];
    let (mut program, peer) = serve(&url, &allowed, &["sh", "-c", script]).await;
    let answer = call(&url, &[&peer, "upper", r#"["hello"]"#]).await;
    assert_eq!(answer.expect("answered"), [json!(["HELLO"])]);
    let called = program.event("called").await;
    assert_eq!(called["method"], "upper");
    let answer = call(&url, &["--namespace", "work", "upper", "[1]", "--json"]).await;
    let wanted = json!({"peer": peer, "result": [1]});
    assert_eq!(answer.expect("answered"), [wanted]);
    let output = run_with(
        &["call", &peer, "upper", "-", "--join", &url],
        "[\"piped\"]",
    )
    .await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[\"PIPED\"]\n");

    let refused = Code::Refused.exit_status();
    for (params, told) in [("[\"moody\"]", "full moon"), ("[\"broken\"]", "3")] {
        let (status, stderr) = call(&url, &[&peer, "upper", params])
            .await
            .expect_err("failed");
        assert_eq!(status, Some(refused.into()), "{stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(told),
            "{stderr}"
        );
        assert!(
            stderr
                .lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("remedy: "))
        );
    }
    let misused = Code::InvalidArgument.exit_status();
    for wrong in [
        &[peer.as_str()][..],
        &[&peer, "upper", "no JSON"],
        &[&peer, "upper", "7"],
        &["--namespace", "work", &peer, "upper", "[]"],
    ] {
        let (status, stderr) = call(&url, wrong).await.expect_err("misused");
        assert_eq!(status, Some(misused.into()), "{wrong:?}: {stderr}");
    }
    let (status, _) = call(&url, &["--namespace", "nobody", "upper"])
        .await
        .expect_err("nobody");
    assert_eq!(status, Some(Code::NotFound.exit_status().into()));
    assert!(program.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_results_and_nobody_calls_what_is_closed() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let (counter, peer) = serve(
        &url,
        &["count", "--lines", "--allow", "anyone"],
        &["seq", "3"],
    )
    .await;
    let counted = call(&url, &[&peer, "count", "--stream"]).await;
    assert_eq!(counted.expect("counted"), [json!(1), json!(2), json!(3)]);
    let (status, stderr) = call(&url, &[&peer, "count"]).await.expect_err("many");
    assert_eq!(
        status,
        Some(Code::Unsupported.exit_status().into()),
        "{stderr}"
    );
    let (closed, peer) = serve(&url, &["secret"], &["cat"]).await;
    let (status, stderr) = call(&url, &[&peer, "secret"]).await.expect_err("closed");
    assert_eq!(status, Some(Code::Refused.exit_status().into()), "{stderr}");
    assert!(
        call(&url, &[&peer, "secret", "--notify"])
            .await
            .expect("taken")
            .is_empty()
    );
    for program in [counter, closed] {
        assert!(program.terminate().await.success());
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_member_is_found_and_says_why() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let (one, two, asks) = tokio::join!(member(&url), member(&url), member(&url));
    let [one, two, asks] = [one, two, asks].map(|peer| peer.expect("a member"));
    for peer in [&one, &two] {
        let echo = handler(|_, params| async { Ok(params) });
        peer.node
            .rpc()
            .serve("echo", Allow::anyone(), echo)
            .expect("served");
        peer.node.provide("work").await.expect("listed");
    }
    let ranked = until("both are found", || async {
        let ranked = asks.node.select("work", Weights::default()).await.ok()?;
        (ranked.len() == 2).then_some(ranked)
    })
    .await;
    for choice in &ranked {
        let told = choice.to_value(Weights::default());
        let points: f64 = TERMS
            .iter()
            .map(|term| told["terms"][term]["points"].as_f64().expect("points"))
            .sum();
        let score = told["score"].as_f64().expect("a score");
        assert!((points - score).abs() < 1e-9 && score > 0.0, "{told}");
        assert!(told["capabilities"]["roles"] == json!(["peer"]), "{told}");
        assert!(told["latencyMs"].is_u64(), "{told}");
    }

    // One of them fails from now on: it answers nothing, and is chosen no more.
    let liar = ranked[0].peer;
    for _ in 0..20 {
        let standings = asks.node.handle().standings();
        standings.note(&liar, warren_shared::proto::reputation::Evidence::Failed);
    }
    let ranked = asks
        .node
        .select("work", Weights::default())
        .await
        .expect("found");
    assert_eq!(ranked.len(), 2);
    assert_ne!(ranked[0].peer, liar);
    let [best, worst] = [&ranked[0], &ranked[1]].map(|choice| choice.scored.terms);
    for (name, (best, worst)) in TERMS.iter().zip(best.iter().zip(worst)) {
        assert!(*name == "latency" || best.points >= worst.points, "{name}");
    }
    let echo = Ask::new("echo", json!([1]));
    let route = asks.node.any_member("work").await.expect("a member");
    let answer = within("an answer", asks.node.rpc().call(route, &echo)).await;
    assert_eq!(answer, Ok(json!([1])));
    let answer = call(&url, &["--namespace", "work", "--best", "echo", "[2]"]).await;
    assert_eq!(answer.expect("answered"), [json!([2])]);
    for peer in [one, two, asks] {
        peer.node.close().await;
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_call_is_told_whom_to_ask() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let (closed, peer) = serve(&url, &["closed"], &["cat"]).await;
    let (status, told) = call(&url, &[&peer, "open"]).await.expect_err("missing");
    assert_eq!(
        status,
        Some(Code::Unsupported.exit_status().into()),
        "{told}"
    );
    assert!(told.contains("serves no method open"), "{told}");
    let (status, told) = call(&url, &[&peer, "closed"]).await.expect_err("refused");
    assert_eq!(status, Some(Code::Refused.exit_status().into()), "{told}");
    assert!(
        told.contains("--allow") && told.contains("author:"),
        "{told}"
    );
    assert!(closed.terminate().await.success());
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_of_a_peer_is_kept_and_told_here_only() {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("profile");
    let data = data.to_str().expect("a path");
    let id = relay.id().to_string();
    let said = call(&url, &[&id, "warren.capabilities"]).await;
    let said = said.expect("answered").remove(0);
    assert_eq!(said["roles"], json!(["relay", "store"]));
    assert!(
        said["transports"]
            .as_array()
            .is_some_and(|all| !all.is_empty()),
        "{said}"
    );

    // Somebody whom only this profile asks, and only once.
    let friend = member(&url).await.expect("a member");
    let id = friend.node.id().to_string();
    until("the friend is found", || async {
        relay.node().find_peer(friend.node.id()).await.ok()
    })
    .await;
    let pong = call(&url, &[&id, "warren.ping", "--data-dir", data]).await;
    assert_eq!(pong.expect("answered"), [json!("pong")]);

    let standing = |data: &str| {
        let args = ["peers", &id, "--json", "--join", &url, "--data-dir", data];
        let args = args.map(str::to_owned);
        async move {
            let output = run(&args).await;
            assert!(output.status.success());
            serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
        }
    };
    let seen = standing(data).await;
    assert_eq!((&seen["id"], &seen["answers"]), (&json!(id), &json!(1)));
    assert_eq!(seen["trust"], json!(0.6), "{seen}");
    assert!(seen["latencyMs"].is_u64(), "{seen}");
    let other = folder.path().join("other");
    let other = other.to_str().expect("a path");
    let pong = call(
        &url,
        &[&relay.id().to_string(), "warren.ping", "--data-dir", other],
    )
    .await;
    assert_eq!(pong.expect("answered"), [json!("pong")]);
    let unseen = standing(other).await;
    assert_eq!(
        (&unseen["answers"], &unseen["trust"]),
        (&json!(0), &json!(0.5))
    );

    let listed = run(&["peers", "--json", "--join", &url, "--data-dir", data]).await;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let with = |id: &str| listed.lines().any(|line| line.contains(id));
    assert!(with(&id) && with(&relay.id().to_string()), "{listed}");
    let lines = listed.lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let there = lines.find(|line| line["id"] == relay.id().to_string());
    let there = there.expect("the relay is listed");
    assert_eq!(there["connected"], true, "{there}");
    let ways = there["transports"].as_array().expect("how");
    assert!(!ways.is_empty(), "{there}");
    friend.node.close().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_down_is_read_beside_a_profile_that_runs() {
    let relay = TestRelay::first().await;
    let (url, folder) = (relay.url(), tempfile::tempdir().expect("a folder"));
    let data = folder.path().join("profile");
    let data = data.to_str().expect("a path");
    let nowhere = run(&["peers", "--json", "--data-dir", data]).await;
    let told = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    let code = Code::NotFound.exit_status();
    assert_eq!(nowhere.status.code(), Some(code.into()), "{told}");
    assert!(!folder.path().join("profile").exists(), "nothing is made");

    let friend = member(&url).await.expect("a member");
    let id = friend.node.id().to_string();
    until("the friend is found", || async {
        relay.node().find_peer(friend.node.id()).await.ok()
    })
    .await;
    let pong = call(&url, &[&id, "warren.ping", "--data-dir", data]).await;
    assert_eq!(pong.expect("answered"), [json!("pong")]);
    friend.node.close().await;
    let alone = kept_of(data, &id).await;
    assert_eq!(
        (&alone["answers"], &alone["connected"]),
        (&json!(1), &Value::Null)
    );
    let args = ["listen", "--namespace", "n", "--json", "--join", &url];
    let flags = ["--listen", ANY_PORT, "--data-dir", data];
    let mut running = Program::start(&[&args[..], &flags].concat());
    running.event("listening").await;
    let beside = kept_of(data, &id).await;
    assert_eq!(
        (&beside["answers"], &beside["connected"]),
        (&json!(1), &Value::Null)
    );
    assert!(running.terminate().await.success());
    relay.stop().await;
}

/// What `warren peers` reads of a profile without joining.
async fn kept_of(data: &str, id: &str) -> Value {
    let output = run(&["peers", id, "--json", "--data-dir", data]).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}
