//! Random valid things survive encoding, and conflicts end the same way everywhere.

use super::mutations::hex;
use super::{Checked, samples};
use crate::limits::{MAX_CONTENT, MAX_LIFETIME, MAX_SAFE_INTEGER};
use crate::proto::envelope::{Body, Envelope};
use crate::proto::key::{Key, SigningKey, Space};
use crate::proto::prng::Prng;
use crate::proto::record::wire::{Answer, Request, Response, decode_frame, encode_frame};
use crate::proto::record::{
    Decision, ProviderEntry, Record, Refusal, Value, ValueBlock, supersedes,
};

fn bytes(prng: &mut Prng, least: u64, most: u64) -> Vec<u8> {
    let length = least + prng.below(most - least + 1);
    (0..length).map(|_| prng.below(256) as u8).collect()
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what()) }
}

/// Values, also of the largest size.
pub fn values(seed: u64, cases: u64) -> Checked {
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let most = [20, 300, MAX_CONTENT as u64][prng.below(3) as usize];
        let value = match prng.below(2) {
            0 => Value::Bytes(bytes(&mut prng, 0, most)),
            _ => Value::Json(format!("[\"{}\"]", hex(&bytes(&mut prng, 0, most / 2 - 2)))),
        };
        let block = ValueBlock::new(&value).map_err(|error| format!("case {case}: {error}"))?;
        let opened = ValueBlock::open(block.bytes());
        ensure(opened.as_ref() == Ok(&block), || {
            format!("seed {seed}, case {case}: {opened:?}")
        })?;
        let text = block.key().to_string();
        ensure(text.parse() == Ok(block.key()), || {
            format!("seed {seed}, case {case}: {text}")
        })?;
    }
    Ok(())
}

/// Signed envelopes with random fields.
pub fn envelopes(seed: u64, cases: u64) -> Checked {
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let key = SigningKey::from_seed([prng.below(256) as u8; 32]);
        let issued = prng.below(MAX_SAFE_INTEGER - MAX_LIFETIME);
        let body = Body {
            domain: "d".repeat(1 + prng.below(32) as usize),
            network: samples::network(),
            key: key.public(),
            label: "ä".repeat(prng.below(65) as usize),
            seq: prng.below(MAX_SAFE_INTEGER + 1),
            issued,
            expires: issued + 1 + prng.below(MAX_LIFETIME),
            payload: bytes(&mut prng, 0, MAX_CONTENT as u64),
        };
        let signed = Envelope::sign(body, &key).map_err(|error| format!("case {case}: {error}"))?;
        let opened = Envelope::open(signed.bytes());
        ensure(opened == Ok(signed), || {
            format!("seed {seed}, case {case}: {opened:?}")
        })?;
    }
    Ok(())
}

fn key(prng: &mut Prng) -> Key {
    let space = [Space::Value, Space::Record, Space::Namespace][prng.below(3) as usize];
    Key {
        space,
        hash: std::array::from_fn(|_| prng.below(256) as u8),
    }
}

fn request(prng: &mut Prng) -> Request {
    let key = key(prng);
    match prng.below(5) {
        0 => Request::Put {
            key,
            record: bytes(prng, 0, 10_000),
        },
        1 => Request::Get { key },
        2 => {
            let addresses = (0..prng.below(3)).map(|_| bytes(prng, 1, 256)).collect();
            Request::Announce {
                key,
                addresses,
                ttl_ms: prng.below(MAX_SAFE_INTEGER),
            }
        }
        3 => Request::Withdraw { key },
        _ => Request::Providers {
            key,
            after: (prng.below(2) == 0).then(|| bytes(prng, 1, 64)),
        },
    }
}

fn response(prng: &mut Prng) -> Response {
    match prng.below(6) {
        0 => Response::Stored,
        1 => Response::Found {
            record: bytes(prng, 0, 10_000),
        },
        2 => Response::Missing,
        3 => Response::Announced {
            expires: prng.below(MAX_SAFE_INTEGER),
        },
        4 => {
            let entry = |prng: &mut Prng| ProviderEntry {
                peer: bytes(prng, 1, 64),
                addresses: (0..prng.below(3)).map(|_| bytes(prng, 1, 256)).collect(),
                expires: prng.below(MAX_SAFE_INTEGER),
            };
            let entries = (0..prng.below(65)).map(|_| entry(prng)).collect();
            Response::Providers {
                entries,
                more: prng.below(2) == 0,
            }
        }
        _ => {
            let why = Refusal::ALL[prng.below(Refusal::ALL.len() as u64) as usize];
            Response::Refused {
                why,
                newer: (prng.below(2) == 0).then(|| bytes(prng, 0, 10_000)),
            }
        }
    }
}

/// Requests and answers, in frames.
pub fn messages(seed: u64, cases: u64) -> Checked {
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let request = request(&mut prng);
        let answer = Answer {
            now: prng.below(MAX_SAFE_INTEGER),
            response: response(&mut prng),
        };
        for (sent, is_request) in [(request.encode(), true), (answer.encode(), false)] {
            let frame = encode_frame(&sent).map_err(|why| format!("case {case}: {why}"))?;
            let read = decode_frame(&frame).map(|read| read.map(|(message, _)| message.to_vec()));
            ensure(read == Ok(Some(sent.clone())), || {
                format!("seed {seed}, case {case}: frame")
            })?;
            let same = match is_request {
                true => Request::decode(&sent).as_ref() == Ok(&request),
                false => Answer::decode(&sent).as_ref() == Ok(&answer),
            };
            ensure(same, || format!("seed {seed}, case {case}: {}", hex(&sent)))?;
        }
    }
    Ok(())
}

/// Whatever the order of arrival, the same record stays.
pub fn winners(seed: u64, cases: u64) -> Checked {
    let mut prng = Prng::new(seed);
    for case in 0..cases {
        let mut records: Vec<Record> = (0..6)
            .map(|_| {
                let payload = ValueBlock::new(&Value::Json(prng.below(4).to_string()));
                let payload = payload.map_err(|error| error.to_string())?.bytes().to_vec();
                let seq = prng.below(3);
                let body = Body {
                    seq,
                    payload,
                    ..samples::mutable(1).body().clone()
                };
                let signed = Envelope::sign(body, &samples::author());
                signed
                    .map(Record::Signed)
                    .map_err(|error| error.to_string())
            })
            .collect::<Result<_, String>>()?;
        let first = winner(&records);
        for _ in 0..10 {
            let (one, two) = (prng.below(6) as usize, prng.below(6) as usize);
            records.swap(one, two);
            ensure(winner(&records) == first, || {
                format!("seed {seed}, case {case}: order")
            })?;
        }
    }
    Ok(())
}

fn winner(records: &[Record]) -> Option<Record> {
    records
        .iter()
        .cloned()
        .reduce(|old, new| match supersedes(&old, &new) {
            Decision::Store => new,
            Decision::Same | Decision::Older => old,
        })
}
