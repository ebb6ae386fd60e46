//! `warren chat` in a pipe: what is said on standard error beside the lines of the room.

use warren_tests::guests::{Guest, public};
use warren_tests::program::run_with;
use warren_tests::relays::TestRelay;

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_is_told_the_link_and_that_nobody_is_there() {
    let (relay, folder) = (TestRelay::first().await, tempfile::tempdir().unwrap());
    let url = relay.url();
    let secret = folder.path().join("club.secret");
    let secret = secret.to_str().expect("a path in text");
    let args = ["chat", "club", "--secret-file", secret, "--join", &url];
    let output = run_with(&args, "hello\n").await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("others enter with '"), "{told}");
    assert!(told.contains("nobody else is in the room"), "{told}");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !out.contains("others enter") && !out.contains("nobody else"),
        "{out}"
    );

    // Whoever says nothing need not know, and a public room has no secret.
    let output = run_with(&["chat", "lobby", "--join", &url], "").await;
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!told.contains("others enter"), "{told}");

    // Somebody hears it.
    let mut ada = Guest::enter(&[&relay], &public("lobby"), "Ada").await;
    let args = ["chat", "lobby", "--nick", "bot", "--join", &url];
    let output = run_with(&args, "build done\n").await;
    assert!(output.status.success());
    assert_eq!(ada.hears_text("build done").await.nick, "bot");
    ada.close().await;
    relay.stop().await;
}
