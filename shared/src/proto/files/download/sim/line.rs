//! The line of a peer: what goes out goes out in turns, what comes in has to wait when it is full.

use std::collections::VecDeque;

use super::{MB, Micros, QUARTERS, RequestId};

/// A request that is being answered: whose, in which of its lives, and how many quarters went out.
type Task = (u64, RequestId, u64);

pub(super) struct Line {
    pub up: u64,
    down: u64,
    /// Until then what comes in waits.
    full: Micros,
    /// Clients in turn, each with its requests in order.
    queues: VecDeque<(usize, VecDeque<Task>)>,
    busy: bool,
}

impl Line {
    pub fn new(up: u64, down: u64) -> Line {
        Line {
            up,
            down,
            full: 0,
            queues: VecDeque::new(),
            busy: false,
        }
    }

    /// A request is to be answered, from one quarter on. Whether the line was idle.
    pub fn queue(&mut self, client: usize, life: u64, request: RequestId, first: u64) -> bool {
        let task = (life, request, first);
        let found = self.queues.iter_mut().find(|(other, _)| *other == client);
        match found {
            Some((_, tasks)) => tasks.push_back(task),
            None => self.queues.push_back((client, VecDeque::from([task]))),
        }
        !std::mem::replace(&mut self.busy, true)
    }

    /// What goes out next.
    pub fn next(&mut self) -> Option<(usize, u64, RequestId, u64)> {
        let Some((client, mut tasks)) = self.queues.pop_front() else {
            self.busy = false;
            return None;
        };
        let (life, request, quarter) = tasks.pop_front()?;
        if quarter + 1 < QUARTERS {
            tasks.push_front((life, request, quarter + 1));
        }
        if !tasks.is_empty() {
            self.queues.push_back((client, tasks));
        }
        Some((client, life, request, quarter))
    }

    /// Nothing more of a request.
    pub fn drop(&mut self, client: usize, life: u64, request: RequestId) {
        for (_, tasks) in self.queues.iter_mut().filter(|(other, _)| *other == client) {
            tasks.retain(|task| (task.0, task.1) != (life, request));
        }
        self.queues.retain(|(_, tasks)| !tasks.is_empty());
    }

    /// Something comes in; when it is all there.
    pub fn receive(&mut self, at: Micros, bytes: u64) -> Micros {
        self.full = self.full.max(at) + bytes * MB / self.down;
        self.full
    }

    pub fn clear(&mut self) {
        self.queues.clear();
        self.busy = false;
    }
}
