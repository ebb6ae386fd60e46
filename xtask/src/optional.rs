//! Programs that some tests want beside: found, or installed where that is a matter of one command. A machine without
//! one goes without; those tests then say that they were left out.

use std::path::PathBuf;

use crate::machine;
use crate::workspace::Workspace;

/// A second browser engine.
pub const FIREFOX: Optional = Optional {
    variable: "WARREN_FIREFOX",
    names: &["firefox-esr", "firefox"],
    package: "firefox-esr",
    remedy: "the tests in Firefox are left out; install it, or set WARREN_FIREFOX",
};

/// Asks a relay for names as ordinary software does.
pub const DIG: Optional = Optional {
    variable: "WARREN_DIG",
    names: &["dig"],
    package: "bind9-dnsutils",
    remedy: "the test with `dig` is left out; install it, or set WARREN_DIG",
};

/// Translates addresses between network namespaces.
pub const NFT: Optional = Optional {
    variable: "WARREN_NFT",
    names: &["nft"],
    package: "nftables",
    remedy: "the tests behind NATs are left out; install nftables, or set WARREN_NFT",
};

/// See the module.
pub struct Optional {
    /// Names a program to use instead of the one that would be found.
    pub variable: &'static str,
    names: &'static [&'static str],
    /// Debian's package of it.
    package: &'static str,
    remedy: &'static str,
}

impl Optional {
    /// The program, if there can be one.
    pub fn ensure(&self, workspace: &Workspace) -> Option<PathBuf> {
        let find = || machine::find_program(self.names);
        let chosen = std::env::var_os(self.variable).map(PathBuf::from);
        if let Some(found) = chosen.or_else(find) {
            return Some(found);
        }
        if machine::is_debian() && machine::is_root() {
            let installed = machine::install_debian(workspace, self.package, self.remedy);
            if let Some(found) = installed.ok().and_then(|()| find()) {
                return Some(found);
            }
        }
        eprintln!("  {}", self.remedy);
        None
    }
}
