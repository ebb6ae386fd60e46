use super::*;

fn gate() -> (Callers, Instant) {
    let now = Instant::now();
    (Callers::new([7; 32], now), now)
}

fn source(number: u32) -> SocketAddr {
    let ip = std::net::Ipv4Addr::from(0x0a00_0000 + number);
    SocketAddr::new(ip.into(), 1_000)
}

fn call(number: u32) -> Call {
    let mut random = [1; 32];
    random[..4].copy_from_slice(&number.to_be_bytes());
    random[4..8].copy_from_slice(&(number >> 6).to_be_bytes());
    random[8..12].copy_from_slice(&(number >> 12).to_be_bytes());
    Call::v1(&random)
}

fn check(call: &Call) -> Bytes {
    check_request(b"transaction!", &call.username(), |_| [0; 20]).into()
}

/// The answer of whoever receives a challenge.
fn answer(challenge: &[u8], source: SocketAddr) -> Bytes {
    let packet = Packet::parse(challenge).unwrap();
    assert_eq!(packet.kind, Kind::Request);
    check_answer(&packet.transaction, source, |_| [0; 20]).into()
}

#[test]
fn a_caller_who_answers_is_admitted_with_what_it_sent() {
    let (mut gate, now) = gate();
    let call = call(1);
    let first = gate.receive(now, source(1), check(&call));
    assert!(first.admit.is_none());
    let [challenge, answered] = &first.send[..] else {
        panic!("a challenge and an answer")
    };
    let answered = Packet::parse(answered).unwrap();
    assert_eq!(
        (answered.kind, &answered.transaction),
        (Kind::Success, b"transaction!")
    );
    let hello = Bytes::from_static(&[22, 254, 253]);
    gate.receive(now, source(1), hello.clone());
    // A repetition of the check changes nothing about that.
    gate.receive(now, source(1), check(&call));
    gate.receive(now, source(1), Bytes::from(vec![22; 2_000]));
    let proof = gate.receive(now, source(1), answer(challenge, source(1)));
    let admitted = proof.admit.unwrap();
    assert_eq!(admitted.username, call.username());
    assert_eq!(admitted.early, [check(&call), hello]);
    assert_eq!(gate.pending(), 0);
}

#[test]
fn the_challenge_carries_the_clients_credentials() {
    let (mut gate, now) = gate();
    let client = Call::credentials(&[9; 32]);
    let call = Call::v2(client.clone()).unwrap();
    let reaction = gate.receive(now, source(1), check(&call));
    let challenge = Packet::parse(&reaction.send[0]).unwrap();
    let expected = format!("{}:{}", client.ufrag, call.server.ufrag);
    assert_eq!(challenge.username, Some(&expected[..]));
    let covered = reaction.send[0].len() - 8 - 24;
    let mut signed = reaction.send[0][..covered].to_vec();
    let length = (covered - 20 + 24) as u16;
    signed[2..4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(
        reaction.send[0][covered + 4..covered + 24],
        agent::hmac_sha1(&client.password, &signed)
    );
}

#[test]
fn an_address_is_proven_by_its_owner_only() {
    let (mut gate, now) = gate();
    let call = call(1);
    let challenge = gate.receive(now, source(1), check(&call)).send[0].clone();
    // Somebody else repeats it, somebody guesses, and it comes too late.
    gate.receive(now, source(2), check(&call));
    let stolen = gate.receive(now, source(2), answer(&challenge, source(2)));
    assert!(stolen.admit.is_none());
    let guess = check_answer(&[3; 12], source(1), |_| [0; 20]);
    assert!(gate.receive(now, source(1), guess.into()).admit.is_none());
    let later = now + 3 * CHALLENGE_LIFE;
    let late = gate.receive(later, source(1), answer(&challenge, source(1)));
    assert!(late.admit.is_none());
    let next_minute = now + CHALLENGE_LIFE;
    let in_time = gate.receive(next_minute, source(1), answer(&challenge, source(1)));
    assert!(in_time.admit.is_some());
}

#[test]
fn a_flood_fills_a_bounded_table_and_pushes_nobody_out_for_good() {
    let (mut gate, now) = gate();
    let honest = call(0);
    let challenge = gate.receive(now, source(0), check(&honest)).send[0].clone();
    for number in 1..3_000 {
        gate.receive(now, source(number), check(&call(number)));
    }
    assert_eq!(gate.pending(), limits::PENDING_CALLERS);
    assert!(gate.pending.order.len() <= limits::PENDING_CALLERS);
    let proof = gate.receive(now, source(0), answer(&challenge, source(0)));
    assert!(proof.admit.is_none());
    let again = gate.receive(now, source(0), check(&honest));
    assert_eq!(again.admit.unwrap().username, honest.username());
}

#[test]
fn what_is_no_call_gets_no_answer() {
    let (mut gate, now) = gate();
    let mut ended = gate.receive(now, source(1), check(&call(1)));
    assert_eq!(ended.send.len(), 2);
    gate.over(call(1).username());
    ended = gate.receive(now, source(1), check(&call(1)));
    assert!(ended.send.is_empty() && ended.admit.is_none());
    let unknown = check_request(b"transaction!", "someone:else", |_| [0; 20]);
    let damaged = check(&call(2)).slice(..40);
    for packet in [
        unknown.into(),
        damaged,
        Bytes::new(),
        Bytes::from_static(&[22; 60]),
    ] {
        let reaction = gate.receive(now, source(2), packet);
        assert!(reaction.send.is_empty() && reaction.admit.is_none());
    }
    assert_eq!(gate.pending(), 1);
}

#[test]
fn answers_are_small_beside_what_asks_for_them() {
    let (mut gate, now) = gate();
    let asked = check(&call(1));
    let answered: usize = gate
        .receive(now, source(1), asked.clone())
        .send
        .iter()
        .map(Vec::len)
        .sum();
    assert!(answered < 3 * asked.len(), "{answered} for {}", asked.len());
}

#[test]
fn plain_questions_are_answered_so_often() {
    let (mut gate, now) = gate();
    let mut question = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    question.extend_from_slice(&[5; 12]);
    let ask = |gate: &mut Callers, now, number| {
        let question = Bytes::copy_from_slice(&question);
        gate.receive(now, source(number), question).send.len()
    };
    let one = (0..1_000).map(|_| ask(&mut gate, now, 1)).sum::<usize>();
    assert_eq!(one, limits::ANSWERS_PER_PREFIX as usize);
    let all = (0..100_000)
        .map(|number| ask(&mut gate, now, number * 256))
        .sum::<usize>();
    assert_eq!(one + all, limits::ANSWERS as usize);
    assert_eq!(ask(&mut gate, now + SECOND, 1), 1);
}

#[test]
fn a_flood_is_answered_so_often_and_looked_at_beyond_that() {
    let (mut gate, now) = gate();
    let honest = call(0);
    let first = gate.receive(now, source(0), check(&honest));
    let challenge = first
        .send
        .into_iter()
        .find(|packet| Packet::parse(packet).is_some_and(|packet| packet.kind == Kind::Request))
        .unwrap();
    gate.checks.most = 3;
    let flood = (1..10).map(|number| gate.receive(now, source(number), check(&call(number))));
    let answered = flood.filter(|reaction| !reaction.send.is_empty()).count();
    assert_eq!(answered, 2);
    let proof = gate.receive(now, source(0), answer(&challenge, source(0)));
    assert!(proof.admit.is_some());
    let next_second = now + SECOND;
    assert_eq!(
        gate.receive(next_second, source(9), check(&call(9)))
            .send
            .len(),
        2
    );
}

#[test]
fn one_network_is_challenged_so_often() {
    let (mut gate, now) = gate();
    let most = limits::CHECKS_PER_PREFIX as usize;
    let mut ask = |now, number: u32| {
        let check = check(&call(number));
        !gate.receive(now, source(number), check).send.is_empty()
    };
    let within = |number: u32| number % 256;
    let answered = (0..2 * most as u32)
        .filter(|number| ask(now, within(*number)))
        .count();
    assert_eq!(answered, most);
    assert!(ask(now, 256), "another network");
    assert!(ask(now + SECOND, 1), "the next second");
}
