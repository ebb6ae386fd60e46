//! What this peer changes itself, and who is told of changes.

use super::*;

#[test]
fn an_answer_asked_for_before_an_own_change_is_not_kept() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let binding = net.claim(&author());
    net.publish(&author(), zone(&[("", text("one"))]), &binding);
    let name = "alice.p2p".parse().unwrap();
    let query = resolver.start(&name, Options::default(), net.now);
    let asked: Vec<Output> = std::iter::from_fn(|| resolver.poll()).collect();
    let answers: Vec<_> = asked
        .iter()
        .filter_map(|output| match output {
            Output::Ask { to, id, request } => Some((*id, net.ask(*to, request)?)),
            _ => None,
        })
        .collect();
    net.now += 1;
    net.publish(&author(), zone(&[("", text("two"))]), &binding);
    resolver.forget(name.root(), net.now);
    for (id, answer) in answers {
        resolver.answered(id, answer, net.now);
    }
    let found = net.serve(&mut resolver, query).expect("it has ended");
    assert_eq!(found.unwrap().resources, text("two"));
    let again = net.resolve(&mut resolver, "alice.p2p", Options::default());
    assert_eq!(again.unwrap().resources, text("two"));
}

#[test]
fn whoever_watches_is_told_of_own_changes_and_of_the_end() {
    let (mut net, mut resolver) = (Net::new(), resolver());
    let told = |resolver: &mut Resolver| {
        let mut outputs = std::iter::from_fn(|| resolver.poll());
        outputs.any(|output| output == Output::Changed(Root::Human(alice()).name()))
    };
    let binding = net.claim(&author());
    net.publish(&author(), zone(&[("", text("one"))]), &binding);
    resolver.forget(&Root::Human(alice()), net.now);
    assert!(told(&mut resolver));
    net.resolve(&mut resolver, "alice.p2p", Options::default())
        .unwrap();
    net.run(&author(), Goal::Release).unwrap();
    net.now += 1;
    let query = resolver.start(&"alice.p2p".parse().unwrap(), FRESH, net.now);
    let mut changed = false;
    while let Some(output) = resolver.poll() {
        match output {
            Output::Ask { to, id, request } => {
                let answer = net.ask(to, &request).expect("nobody is silent");
                resolver.answered(id, answer, net.now);
            }
            Output::Changed(_) => changed = true,
            Output::Done { query: of, result } => {
                assert_eq!((of, result), (query, Err(Unresolved::Unclaimed)));
            }
            _ => {}
        }
    }
    assert!(changed, "it is nobody's any more");
}
