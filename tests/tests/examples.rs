//! The examples of the Rust interface do what they say.

use warren_tests::program::run_example;
use warren_tests::relays::TestRelay;

/// What an example prints.
async fn printed(name: &str) -> String {
    printed_with(name, &[]).await
}

async fn printed_with(name: &str, more: &[&str]) -> String {
    let relay = TestRelay::first().await;
    let url = relay.url();
    let args: Vec<&str> = [url.as_str()].iter().chain(more).copied().collect();
    let output = run_example(name, &args).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}{complaints}");
    relay.stop().await;
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_stored_and_read() {
    let said = printed("value").await;
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("joined as 12D3"), "{said}");
    assert_eq!(lines[1], "stored by 1 node(s)");
    assert_eq!(lines[2], r#"read {"hello":"world"}"#);
    assert!(lines[3].starts_with("read \"first\" of version "), "{said}");
    assert!(
        lines[4].starts_with("read \"second\" of version "),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_meet_in_a_room() {
    let said = printed("room").await;
    let (link, rest) = said.split_once('\n').expect("lines");
    assert!(link.contains("#room=tea%20party&secret="), "{link}");
    let expected = "Ben reads: Ada: is anybody here?\nAda reads: Ben: yes!\n\
                    history: Ada: is anybody here?\nhistory: Ben: yes!\n";
    assert_eq!(rest, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_delivered() {
    let said = printed("message").await;
    assert!(said.starts_with("delivered\nk51"), "{said}");
    assert!(
        said.contains(" says \"lunch?\"\nfrom Ada: true\n"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_called() {
    let said = printed("command").await;
    assert!(said.starts_with("the best of 1 has "), "{said}");
    assert!(said.contains("the sum is 42\nit says: "), "{said}");
    assert!(said.ends_with("Invalid params\n"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_claimed_and_resolved() {
    let said = printed_with("name", &["ada-in-town.p2p"]).await;
    let expected = "ada-in-town.p2p is held, generation 1\n\
                    ada-in-town.p2p leads to {\"type\":\"text\",\"text\":\"tea at five\"}\n\
                    signed by its owner: true\n";
    assert_eq!(said, expected);
}
