//! A certificate that the operator shows: it is taken note of as `Renew` does, and nothing is signed.
//!
//! So it needs neither a seat in the set nor the key, only the row.

use super::row::{Adopted, Row};
use super::{ZoneWrite, key_of};
use crate::proto::Millis;
use crate::proto::names::certificate::Binding;
use crate::proto::names::wire::NameRefusal;

/// What is to be written, then said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The row to write, if it changed.
    pub row: Option<Row>,
    /// What to do with the zone.
    pub zone: ZoneWrite,
    /// Whether the row took something from it, or why it may not.
    pub taken: Result<bool, NameRefusal>,
}

/// Shows a certificate that was verified to the row of its name. One of a lower rank than what is in
/// force says nothing new.
pub fn show(binding: &Binding, row: Option<Row>, now: Millis) -> Shown {
    let before = row.unwrap_or_default();
    let mut row = before.clone();
    let taken = match before.denied {
        Some(_) => Err(NameRefusal::Denied),
        None => {
            row.settle(now);
            match row.adopt(binding) {
                Adopted::InForce => Ok(row.bound != before.bound),
                Adopted::Older => Ok(false),
                Adopted::Conflict => Err(NameRefusal::Taken),
            }
        }
    };
    Shown {
        zone: zone_after(&before, &row),
        row: (row != before).then_some(row),
        taken,
    }
}

/// The zone of an owner goes with it.
pub(super) fn zone_after(before: &Row, after: &Row) -> ZoneWrite {
    let owner = |row: &Row| row.bound.as_ref().map(|bound| key_of(&bound.certificate));
    match owner(before).is_some() && owner(before) != owner(after) {
        true => ZoneWrite::Remove,
        false => ZoneWrite::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::names::certificate::Certificate;
    use crate::proto::names::witness::row::Denial;
    use crate::selftest::names::samples::{certificate, certificate_of, handed, release, sets};
    use crate::selftest::samples::NOW;

    fn binding(certificate: &Certificate) -> Binding {
        certificate.verify(&sets()).unwrap()
    }

    #[test]
    fn what_is_shown_counts_by_its_rank() {
        let (first, second) = (binding(&certificate()), binding(&certificate_of(&handed())));
        let fresh = show(&first, None, NOW);
        assert_eq!((fresh.taken, fresh.zone), (Ok(true), ZoneWrite::Keep));
        let row = fresh.row.unwrap();
        assert_eq!(row.top_generation(), 1);
        assert_eq!(row.latest, 0, "nothing was signed");

        let again = show(&first, Some(row.clone()), NOW);
        assert_eq!((again.row, again.taken), (None, Ok(false)));

        let later = show(&second, Some(row), NOW);
        assert_eq!((later.taken, later.zone), (Ok(true), ZoneWrite::Remove));
        let row = later.row.unwrap();
        let older = show(&first, Some(row.clone()), NOW);
        assert_eq!((older.row, older.taken), (None, Ok(false)));

        // The same generation, of another holder: a quorum has lied.
        let conflict = show(&binding(&certificate_of(&release())), Some(row), NOW);
        assert_eq!(conflict.row, None);
        assert_eq!(conflict.taken, Err(NameRefusal::Taken));
    }

    #[test]
    fn a_name_that_the_operator_refuses_stays_refused() {
        let denied = Some(Denial {
            reason: "a court said so".to_owned(),
            since: NOW,
        });
        let row = Row {
            denied,
            ..Row::default()
        };
        let shown = show(&binding(&certificate()), Some(row), NOW);
        assert_eq!(shown.row, None);
        assert_eq!(shown.taken, Err(NameRefusal::Denied));
    }
}
