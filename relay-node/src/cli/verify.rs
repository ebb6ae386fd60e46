//! `warren verify`: a proof of a name, checked without being a peer, and compared with witnesses that one
//! knows already.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use warren_shared::error::{Code, Error, Result};
use warren_shared::net::discover::WELL_KNOWN;
use warren_shared::net::outside::Outside;
use warren_shared::platform;
use warren_shared::proto::date::moment;
use warren_shared::proto::join::JoinDocument;
use warren_shared::proto::names::KnownSets;
use warren_shared::proto::names::resolution::Proof;
use warren_shared::proto::names::verify::{self, Verified};

use super::lines::print;
use super::name::read;
use super::resolve::{described, signed_by};
use crate::fetch::Fetcher;
use crate::keepsakes::Keepsakes;

const PATIENCE: Duration = Duration::from_secs(10);
/// What peers keep the witnesses of a network under; the network follows.
const PINNED: &str = "names-sets-";

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The proof; - reads standard input.
    file: PathBuf,
    /// The witnesses that you trust: the URL of a relay, or a file with its join document. Only this, or
    /// --data-dir, shows that the right witnesses signed.
    #[arg(long, value_name = "URL|FILE", conflicts_with = "data_dir")]
    trust: Option<String>,
    /// Trust the witnesses that the peer with this folder has met.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Give addresses in private networks and on this device too.
    #[arg(long)]
    private: bool,
    /// The answer as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn run(args: VerifyArgs) -> Result<()> {
    let proof = read(&args.file)?;
    let mut verified = check(&proof, &trusted(&args).await?)?;
    if !args.private {
        verified.hide_private();
    }
    print(&match args.json {
        true => json!(verified).to_string(),
        false => told(&verified),
    })
}

/// Checks it against the witnesses of its network, if any are trusted.
fn check(proof: &str, trusted: &[KnownSets]) -> Result<Verified> {
    let now = platform::now();
    let [first, others @ ..] = trusted else {
        return verify::verify(proof, None, now);
    };
    let mut checked = verify::verify(proof, Some(first), now);
    for sets in others {
        match &checked {
            Err(error) if error.code() == Code::WrongNetwork => {
                checked = verify::verify(proof, Some(sets), now);
            }
            _ => break,
        }
    }
    checked
}

/// The witnesses to compare with, of each network that is known.
async fn trusted(args: &VerifyArgs) -> Result<Vec<KnownSets>> {
    match (&args.trust, &args.data_dir) {
        (Some(place), _) => Ok(vec![of_document(place).await?]),
        (None, Some(folder)) => {
            if !folder.is_dir() {
                return Err(no_witnesses(&folder.display().to_string()));
            }
            let kept = Keepsakes::seen_in(folder, PINNED)?;
            let sets = kept.values().map(|bytes| KnownSets::restore(bytes));
            let sets: std::result::Result<Vec<_>, _> = sets.collect();
            let sets = sets.map_err(|refusal| {
                let what = format!("the witnesses kept in {} are damaged", folder.display());
                Error::new(Code::StorageFailed, what).caused_by(refusal)
            })?;
            match sets.is_empty() {
                true => Err(no_witnesses(&folder.display().to_string())),
                false => Ok(sets),
            }
        }
        (None, None) => Ok(Vec::new()),
    }
}

async fn of_document(place: &str) -> Result<KnownSets> {
    let text = match place.starts_with("http://") || place.starts_with("https://") {
        true => {
            let place = place.trim_end_matches('/');
            let place = place.strip_suffix(WELL_KNOWN).unwrap_or(place);
            Fetcher
                .fetch(format!("{place}{WELL_KNOWN}"), PATIENCE)
                .await?
        }
        false => read(&PathBuf::from(place))?,
    };
    let document = JoinDocument::from_json(&text).map_err(|error| {
        let what = format!("{place} has no join document of a relay");
        Error::new(Code::InvalidArgument, what)
            .caused_by(error)
            .with_remedy(format!(
                "Give the URL of a relay, or a file with what it has at {WELL_KNOWN}."
            ))
    })?;
    let set = document.witnesses.ok_or_else(|| no_witnesses(place))?;
    Ok(KnownSets::pinned(document.network, set))
}

fn no_witnesses(place: &str) -> Error {
    Error::new(
        Code::InvalidArgument,
        format!("{place} names no witnesses of a network"),
    )
    .with_remedy(
        "Give --trust the URL of a relay that you trust, or --data-dir the folder of a peer that has \
         joined the network.",
    )
}

/// Whom one believes comes first.
fn told(verified: &Verified) -> String {
    let mut lines = Vec::new();
    match (&verified.witness_set, verified.pinned) {
        (None, _) => {}
        (Some(_), true) => lines.push("signed by the witnesses that you trust".to_owned()),
        (Some(set), false) => {
            lines.push(
                "NOT compared with witnesses that you know: anybody can sign so; see --trust"
                    .to_owned(),
            );
            lines.push(format!("signed by witness set {set}"));
        }
    }
    lines.push(described(&verified.resolution, dated));
    if let Some(end) = verified
        .resolution
        .proofs
        .iter()
        .map(Proof::counts_until)
        .min()
    {
        lines.push(format!(
            "counts until {}; whether something newer exists only the network knows: `warren resolve`",
            moment(end)
        ));
    }
    lines.join("\n")
}

/// Whose word it is, and of when: a proof is as old as it is, whenever it was read.
fn dated(proof: &Proof) -> String {
    format!("signed {}, {}", moment(proof.zone_issued), signed_by(proof))
}

#[cfg(test)]
mod tests {
    use warren_shared::proto::key::{NetworkId, SigningKey};
    use warren_shared::proto::names::WitnessSet;

    use super::*;
    use crate::identity::DataDir;

    #[tokio::test]
    async fn what_a_running_peer_has_met_is_read_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let data = DataDir::open(home.path()).unwrap();
        let keepsakes = Keepsakes::in_dir(data.path()).unwrap();
        let key = SigningKey::from_seed([1; 32]).public();
        let set = WitnessSet::new(1, 0, [key]).unwrap();
        let sets = KnownSets::pinned(NetworkId::from_entropy([1; 10]), set);
        keepsakes.put("names-sets-net", &sets.export()).unwrap();
        let unfinished = home.path().join("names/0123456789abcdef.new");
        std::fs::write(&unfinished, "half").unwrap();
        let mut args = VerifyArgs {
            file: PathBuf::new(),
            trust: None,
            data_dir: Some(home.path().to_owned()),
            private: false,
            json: false,
        };
        assert_eq!(trusted(&args).await.unwrap(), [sets]);
        assert!(unfinished.exists(), "the peer is writing it");
        let nobody = tempfile::tempdir().unwrap();
        args.data_dir = Some(nobody.path().to_owned());
        assert!(trusted(&args).await.is_err());
        assert_eq!(std::fs::read_dir(nobody.path()).unwrap().count(), 0);
    }
}
