//! Which stored encoding of a file a client gets, by its `Accept-Encoding`.

/// The encodings that files are stored in; a later one is preferred when a client does not care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Brotli,
}

impl Encoding {
    /// Its name in `Content-Encoding`.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }
}

/// The best of what is available. Falls back to identity for clients that refuse everything: a file
/// in the wrong encoding is worth more to them than none.
pub(super) fn choose(accept: &str, available: &[Encoding]) -> Encoding {
    available
        .iter()
        .map(|&encoding| (weight(accept, encoding), encoding))
        .filter(|(weight, _)| *weight > 0)
        .max()
        .map_or(Encoding::Identity, |(_, encoding)| encoding)
}

/// What a client thinks of an encoding, in thousandths; 0 is a refusal.
fn weight(accept: &str, encoding: Encoding) -> u16 {
    let (mut named, mut wildcard) = (None, None);
    for item in accept.split(',') {
        let mut parts = item.split(';');
        let token = parts.next().unwrap_or("").trim();
        let quality = parts.find_map(quality).unwrap_or(1000);
        if token.eq_ignore_ascii_case(encoding.token()) {
            named = Some(quality);
        } else if token == "*" {
            wildcard = Some(quality);
        }
    }
    // Unmentioned, identity is acceptable, and less welcome than anything that was mentioned.
    let unmentioned = u16::from(encoding == Encoding::Identity);
    named.or(wildcard).unwrap_or(unmentioned)
}

fn quality(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    // An unreadable weight is a refusal: what the client meant is anybody's guess.
    let value: f32 = value.trim().parse().unwrap_or(0.0);
    Some((value.clamp(0.0, 1.0) * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::{Encoding::*, *};

    #[test]
    fn clients_get_what_they_prefer_of_what_there_is() {
        let all = [Identity, Gzip, Brotli];
        let cases: [(&str, &[Encoding], Encoding); 14] = [
            ("", &all, Identity),
            ("gzip, deflate, br, zstd", &all, Brotli),
            ("gzip, deflate, br", &[Identity, Gzip], Gzip),
            ("gzip, deflate, br", &[Identity], Identity),
            ("br;q=0.5, gzip;q=0.8", &all, Gzip),
            ("BR; Q=1.0 , gzip", &all, Brotli),
            ("br;q=0, gzip", &all, Gzip),
            ("*", &all, Brotli),
            ("br;q=0, *", &all, Gzip),
            ("gzip;q=0.001", &all, Gzip),
            ("identity, br;q=0.5", &all, Identity),
            ("identity;q=0, *;q=0", &all, Identity),
            ("br;q=nonsense, gzip;q=0.1", &all, Gzip),
            ("deflate", &all, Identity),
        ];
        for (accept, available, expected) in cases {
            assert_eq!(choose(accept, available), expected, "{accept:?}");
        }
    }
}
