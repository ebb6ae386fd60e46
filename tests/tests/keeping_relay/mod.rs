//! A relay that keeps files for others, for tests of what it keeps.

use std::path::PathBuf;

use tempfile::TempDir;
use warren_tests::relays::TestRelay;

/// A relay that keeps files, and the places of its files.
pub struct Scene {
    folder: TempDir,
    quota: u64,
}

impl Scene {
    pub fn new(quota: u64) -> Scene {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("denied"), "# nothing yet\n").expect("written");
        Scene { folder, quota }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts it, the first time or again.
    pub async fn relay(&self) -> TestRelay {
        let started = TestRelay::start(|args| {
            args.data_dir = Some(self.path("relay"));
            args.pin_quota = Some(self.quota.to_string());
            args.deny_files = Some(self.path("denied"));
        });
        started.await.expect("the relay starts")
    }
}
