//! What a witness tells of a name to those that ask.

use super::row::{Bound, Row};
use super::rules::No;
use super::{Witness, key_of};
use crate::proto::Millis;
use crate::proto::names::name::{Label, Root};
use crate::proto::names::wire::{HalfFinal, Known, NameRefusal, Response};
use crate::proto::names::zone::SignedZone;

impl Witness {
    pub(super) fn known(
        &self,
        name: &Label,
        row: &Row,
        zone: Option<&[u8]>,
        now: Millis,
    ) -> Response {
        if row.denied.is_some() {
            return No::because(NameRefusal::Denied).answer(row);
        }
        let bound = row.bound.as_ref();
        let (epoch, _) = match self.seat(now) {
            Ok(seat) => seat,
            Err(no) => return no.answer(row),
        };
        let half = row.half.as_ref().map(|half| HalfFinal {
            claim: half.claim.bytes().to_vec(),
            signed: half.signed.clone(),
        });
        let belongs = |bytes: &&[u8]| {
            let root = Root::Human(name.clone());
            bound.is_some_and(|bound| {
                let owner = key_of(&bound.certificate);
                SignedZone::decode(bytes)
                    .is_ok_and(|zone| zone.belongs(self.sets.network(), &root, owner, now).is_ok())
            })
        };
        let known = Known {
            epoch,
            top: row.top_generation(),
            certificate: bound.map(|bound| bound.certificate.encode()),
            own: bound.and_then(|bound: &Bound| bound.own.clone()),
            half,
            busy: row
                .reserved(now)
                .map(|reserved| reserved.signed.signature.not_after),
            zone: zone.filter(belongs).map(<[u8]>::to_vec),
        };
        Response::Known {
            known: Box::new(known),
        }
    }
}
