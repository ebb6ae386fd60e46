//! What a person wants to have: an id, a link, or a name that leads to one.

use std::path::PathBuf;

use axum::http::Uri;
use warren_shared::error::{Code, Error, Result};
use warren_shared::proto::files::cid::Cid;
use warren_shared::proto::files::path::FilePath;
use warren_shared::proto::names::resolver::Options;
use warren_shared::proto::names::resource::Resource;

use crate::peer::Peer;

const SCHEME: &str = "warren:";
/// What comes before the id in the address of a page.
const PAGE: &str = "#/f/";
const NAME: &str = "?name=";

/// An id, and what it may be called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub cid: Cid,
    name: Option<String>,
}

impl Wanted {
    /// Names are resolved.
    pub async fn find(peer: &Peer, text: &str) -> Result<Wanted> {
        match text.contains('.') && inner(text).is_none() {
            false => Wanted::read(text),
            true => {
                let found = peer.node.names().resolve(text, Options::default()).await;
                let found = found.map_err(|error| no_name(text, error))?;
                let mut cids = found
                    .resources
                    .iter()
                    .filter_map(|resource| match resource {
                        Resource::File(cid) | Resource::Site(cid) => cid.to_string().parse().ok(),
                        _ => None,
                    });
                let cid = cids.next().ok_or_else(|| {
                    Error::new(Code::NotFound, format!("{text} leads to no file"))
                        .with_remedy("`warren resolve` tells what it leads to.")
                })?;
                Ok(Wanted { cid, name: None })
            }
        }
    }

    pub fn read(text: &str) -> Result<Wanted> {
        let Some(link) = inner(text) else {
            return Ok(Wanted {
                cid: text.parse()?,
                name: None,
            });
        };
        let (cid, name) = link.split_once(NAME).unzip();
        Ok(Wanted {
            cid: cid.unwrap_or(link).parse()?,
            name: name.and_then(decoded),
        })
    }

    /// Where it goes when nothing else is said: never out of the current folder.
    pub fn name(&self) -> Result<PathBuf> {
        let Some(name) = &self.name else {
            return Ok(self.cid.to_string().into());
        };
        let sound = FilePath::new(name).is_ok_and(|path| path.names().count() == 1);
        match sound {
            true => Ok(name.into()),
            false => Err(Error::new(
                Code::InvalidArgument,
                "the name in the link is no file's name",
            )
            .with_remedy("Say where to put it with --output.")),
        }
    }
}

/// Who knows only how a file is called may have meant that.
fn no_name(text: &str, error: Error) -> Error {
    match error.code() {
        Code::NameNotFound => error.with_remedy(format!(
            "Check the spelling; a file is found by how it is called with `warren search {text}`."
        )),
        _ => error,
    }
}

/// Where the page is that a link leads to: its scheme, host and port, and nothing else of what stands before the id.
pub(super) fn page(text: &str) -> Option<String> {
    let (page, _) = text.split_once(PAGE)?;
    let uri: Uri = page.parse().ok()?;
    let scheme = uri
        .scheme_str()
        .filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let port = uri
        .port_u16()
        .map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{scheme}://{}{port}", uri.host()?))
}

/// What a link says, or the address of a page that leads to a file.
fn inner(text: &str) -> Option<&str> {
    let is_page = text.starts_with("http://") || text.starts_with("https://");
    let page = text.split_once(PAGE).filter(|_| is_page);
    page.map(|(_, link)| link)
        .or_else(|| text.strip_prefix(SCHEME))
}

/// How others get something.
pub(in crate::cli) fn link(cid: &Cid, name: &str) -> String {
    let mut link = format!("{SCHEME}{cid}{NAME}");
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                link.push(byte.into());
            }
            _ => link.push_str(&format!("%{byte:02X}")),
        }
    }
    link
}

fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        bytes.push(match byte {
            b'%' => {
                let (digits, after) = after.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_back() {
        let cid = Cid::file([7; 32]);
        for name in ["a.txt", "Meer & Küste 100%.jpg", "日本語"] {
            let link = link(&cid, name);
            assert!(link.is_ascii() && !link.contains(' '), "{link}");
            let wanted = Wanted::read(&link).unwrap();
            assert_eq!(wanted.cid, cid);
            assert_eq!(wanted.name().unwrap(), PathBuf::from(name));
        }
        let plain = Wanted::read(&cid.to_string()).unwrap();
        assert_eq!(plain.name().unwrap(), PathBuf::from(cid.to_string()));
        assert_eq!(Wanted::read(&format!("warren:{cid}")).unwrap(), plain);
        let page = format!("https://example.org/?x#/f/{cid}?name=a%20b.txt");
        let wanted = Wanted::read(&page).unwrap();
        assert_eq!(
            (wanted.cid, wanted.name().unwrap()),
            (cid, "a b.txt".into())
        );
    }

    #[test]
    fn a_page_is_where_its_link_says() {
        let cid = Cid::file([7; 32]);
        for (before, wanted) in [
            ("http://127.0.0.1:8080/", Some("http://127.0.0.1:8080")),
            ("https://example.org/deep/?a=b", Some("https://example.org")),
            (
                "https://good.example@bad.example:1/",
                Some("https://bad.example:1"),
            ),
            ("http://[::1]:80/", Some("http://[::1]:80")),
            ("ftp://example.org/", None),
            ("example.org/", None),
            ("https:///", None),
        ] {
            let link = format!("{before}#/f/{cid}?name=a");
            assert_eq!(page(&link).as_deref(), wanted, "{link}");
        }
        assert_eq!(page(&format!("warren:{cid}")), None);
        assert_eq!(page("https://example.org/"), None);
    }

    #[test]
    fn a_link_leads_nowhere_else() {
        let cid = Cid::file([7; 32]);
        for name in ["../x", "/etc/passwd", "a/b", "..", "", "a%2Fb", "%00"] {
            let wanted = Wanted::read(&format!("warren:{cid}?name={name}")).unwrap();
            assert!(wanted.name().is_err(), "{name}");
        }
        assert!(Wanted::read("warren:x").is_err());
        assert!(Wanted::read("x").is_err());
        assert!(Wanted::read(&format!("example.org/#/f/{cid}")).is_err());
        assert!(Wanted::read(&format!("https://example.org/{cid}")).is_err());
    }
}
