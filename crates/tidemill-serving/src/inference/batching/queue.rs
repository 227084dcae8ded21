//! Decides what runs together and when: no clock, no threads, no I/O.
//!
//! Requests wait in the order they came. A batch is formed when a thread is free and either the oldest request has
//! waited `delay_max` or the rows fill a batch. With a delay of zero this tunes itself: a request that finds a free
//! thread runs at once and alone, and those that come while all threads are busy run together as soon as one is free,
//! so batches grow with the load and with nothing else.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When a batch is formed, and how large it may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The maximum rows of a batch.
    pub(crate) rows_max: usize,
    /// How long the oldest request waits for others.
    pub(crate) delay_max: Duration,
    /// How many batches run at the same time.
    pub(crate) threads: usize,
    /// The maximum number of waiting rows, in batches.
    pub(crate) batches_waiting_max: usize,
}

/// A request that waits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item<T> {
    pub(super) rows: usize,
    pub(super) arrived: Instant,
    /// After this time the answer is no longer wanted.
    pub(super) deadline: Instant,
    pub(super) payload: T,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision<T> {
    /// Run these together, then call [`Queue::finished`].
    Run(Vec<Item<T>>),
    /// Call [`Queue::turn`] again at this time.
    Wait(Instant),
    /// Nothing until something arrives or finishes.
    Idle,
}

#[derive(Debug)]
pub(super) struct Queue<T> {
    policy: Policy,
    waiting: VecDeque<Item<T>>,
    rows: usize,
    running: usize,
    /// Whether the client no longer waits for the answer.
    is_gone: fn(&T) -> bool,
}

/// What a turn removed without running it.
#[derive(Debug)]
pub(super) struct Dropped<T> {
    /// The clients of these have left.
    pub(super) gone: usize,
    /// The deadline of these has passed.
    pub(super) late: Vec<Item<T>>,
}

impl<T> Default for Dropped<T> {
    fn default() -> Self {
        Self { gone: 0, late: Vec::new() }
    }
}

impl<T> Queue<T> {
    pub(super) fn new(policy: Policy, is_gone: fn(&T) -> bool) -> Self {
        Self { policy, waiting: VecDeque::new(), rows: 0, running: 0, is_gone }
    }

    /// Adds a request, or hands it back if the queue is full.
    pub(super) fn push(&mut self, item: Item<T>) -> Result<(), Item<T>> {
        let room = self.policy.rows_max.saturating_mul(self.policy.batches_waiting_max.max(1));
        if self.rows + item.rows > room && !self.waiting.is_empty() {
            return Err(item);
        }
        self.rows += item.rows;
        self.waiting.push_back(item);
        Ok(())
    }

    /// Records that a batch from [`turn`](Self::turn) has run.
    pub(super) fn finished(&mut self) {
        self.running -= 1;
    }

    /// Returns what to do at `now`. Removes the abandoned and late requests it meets.
    pub(super) fn turn(&mut self, now: Instant, dropped: &mut Dropped<T>) -> Decision<T> {
        self.sweep(now, dropped);
        let Some(oldest) = self.waiting.front() else { return Decision::Idle };
        if self.running >= self.policy.threads.max(1) {
            return Decision::Idle;
        }
        let due = oldest.arrived + self.policy.delay_max;
        if self.rows < self.policy.rows_max && now < due {
            return Decision::Wait(due);
        }
        let (mut batch, mut rows) = (Vec::new(), 0);
        while let Some(item) = self.waiting.pop_front_if(|item| rows == 0 || rows + item.rows <= self.policy.rows_max) {
            rows += item.rows;
            self.rows -= item.rows;
            batch.push(item);
            self.sweep(now, dropped);
        }
        self.running += 1;
        Decision::Run(batch)
    }

    /// Removes the requests at the front that are not to run.
    fn sweep(&mut self, now: Instant, dropped: &mut Dropped<T>) {
        let is_gone = self.is_gone;
        while let Some(item) = self.waiting.pop_front_if(|item| is_gone(&item.payload) || item.deadline <= now) {
            self.rows -= item.rows;
            if is_gone(&item.payload) {
                dropped.gone += 1;
            } else {
                dropped.late.push(item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::{BTreeMap, BTreeSet};
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;

    const POLICY: Policy =
        Policy { rows_max: 8, delay_max: Duration::from_millis(5), threads: 1, batches_waiting_max: 2 };

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn queue(policy: Policy) -> Queue<u32> {
        Queue::new(policy, |_| false)
    }

    fn item(payload: u32, rows: usize, arrived: Instant) -> Item<u32> {
        Item { rows, arrived, deadline: arrived + millis(1000), payload }
    }

    fn run(turn: Decision<u32>) -> Vec<u32> {
        match turn {
            Decision::Run(batch) => batch.into_iter().map(|item| item.payload).collect(),
            other => panic!("nothing to run: {other:?}"),
        }
    }

    #[test]
    fn a_batch_waits_for_company_and_goes_when_it_is_full_or_due() {
        let (start, mut queue, dropped) = (Instant::now(), queue(POLICY), &mut Dropped::default());
        queue.push(item(1, 3, start)).unwrap();
        assert_eq!(queue.turn(start, dropped), Decision::Wait(start + millis(5)));
        queue.push(item(2, 3, start + millis(4))).unwrap();
        assert_eq!(run(queue.turn(start + millis(5), dropped)), [1, 2]);
        queue.push(item(3, 4, start + millis(6))).unwrap();
        queue.push(item(4, 3, start + millis(6))).unwrap();
        queue.push(item(5, 3, start + millis(6))).unwrap();
        assert_eq!(queue.turn(start + millis(6), dropped), Decision::Idle, "the one thread is busy");
        queue.finished();
        assert_eq!(run(queue.turn(start + millis(6), dropped)), [3, 4], "full at once, and never above the rows");
        queue.finished();
        assert_eq!(queue.turn(start + millis(6), dropped), Decision::Wait(start + millis(11)));
    }

    #[test]
    fn without_a_delay_what_comes_while_the_thread_is_busy_runs_together() {
        let (now, mut queue) = (Instant::now(), queue(Policy { delay_max: Duration::ZERO, ..POLICY }));
        let dropped = &mut Dropped::default();
        queue.push(item(1, 1, now)).unwrap();
        assert_eq!(run(queue.turn(now, dropped)), [1]);
        for number in 2..6 {
            queue.push(item(number, 1, now)).unwrap();
            assert_eq!(queue.turn(now, dropped), Decision::Idle);
        }
        queue.finished();
        assert_eq!(run(queue.turn(now, dropped)), [2, 3, 4, 5]);
    }

    #[test]
    fn a_full_queue_hands_back() {
        let (now, mut queue) = (Instant::now(), queue(POLICY));
        queue.push(item(1, 8, now)).unwrap();
        queue.push(item(2, 7, now)).unwrap();
        assert_eq!(queue.push(item(3, 2, now)).unwrap_err().payload, 3);
        queue.push(item(4, 1, now)).unwrap();
    }

    /// What happens to a simulated queue.
    #[derive(Debug, Clone)]
    enum Step {
        Arrive { rows: usize, patience: u64 },
        Leave(usize),
        Finish,
        Pass(u64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1usize..9, 0u64..60).prop_map(|(rows, patience)| Step::Arrive { rows, patience }),
            1 => (0usize..50).prop_map(Step::Leave),
            2 => Just(Step::Finish),
            2 => (0u64..8).prop_map(Step::Pass),
        ]
    }

    #[derive(Debug)]
    struct Client {
        number: usize,
        left: Rc<Cell<bool>>,
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

        /// Every request ends once: refused, gone, late or run; in order, never late, never with a thread too many,
        /// never in a batch too large; and a driver that keeps to the turns never leaves one waiting that could run.
        #[test]
        fn a_simulated_queue_keeps_its_promises(
            steps in prop::collection::vec(any_step(), 1..200),
            rows_max in 8usize..20,
            delay in 0u64..10,
            threads in 1usize..4,
            batches_waiting_max in 1usize..4,
        ) {
            let policy = Policy { rows_max, delay_max: millis(delay), threads, batches_waiting_max };
            let mut queue: Queue<Client> = Queue::new(policy, |client| client.left.get());
            let mut now = Instant::now();
            let (mut running, mut clients) = (0, Vec::new());
            let mut ended: BTreeMap<usize, &str> = BTreeMap::new();
            let mut last_run = None;
            for step in steps.into_iter().chain(std::iter::repeat_n(Step::Finish, 4)) {
                match step {
                    Step::Arrive { rows, patience } => {
                        let left = Rc::new(Cell::new(false));
                        let payload = Client { number: clients.len(), left: Rc::clone(&left) };
                        clients.push(left);
                        let item = Item { rows, arrived: now, deadline: now + millis(patience), payload };
                        if let Err(item) = queue.push(item) {
                            prop_assert_eq!(ended.insert(item.payload.number, "refused"), None);
                        }
                    }
                    Step::Leave(number) => if let Some(left) = clients.get(number) { left.set(true) },
                    Step::Finish => if running > 0 { queue.finished(); running -= 1; },
                    Step::Pass(passed) => now += millis(passed),
                }
                // The driver: turns until there is none.
                let wake = loop {
                    let mut dropped = Dropped::default();
                    let turn = queue.turn(now, &mut dropped);
                    for item in dropped.late {
                        prop_assert!(item.deadline <= now && !item.payload.left.get());
                        prop_assert_eq!(ended.insert(item.payload.number, "late"), None);
                    }
                    match turn {
                        Decision::Run(batch) => {
                            running += 1;
                            prop_assert!(running <= threads);
                            let rows: usize = batch.iter().map(|item| item.rows).sum();
                            prop_assert!(rows <= rows_max && !batch.is_empty());
                            for item in batch {
                                prop_assert!(item.deadline > now && !item.payload.left.get());
                                prop_assert!(last_run.is_none_or(|last| last < item.payload.number), "in order");
                                last_run = Some(item.payload.number);
                                prop_assert_eq!(ended.insert(item.payload.number, "run"), None);
                            }
                        }
                        Decision::Wait(at) => { prop_assert!(at > now); break Some(at) }
                        Decision::Idle => break None,
                    }
                };
                let waiting: usize = queue.waiting.iter().map(|item| item.rows).sum();
                prop_assert_eq!(waiting, queue.rows);
                prop_assert!(waiting <= rows_max * batches_waiting_max);
                prop_assert!(running == threads || queue.waiting.is_empty() || wake.is_some(), "nobody is forgotten");
            }
            let waiting: BTreeSet<usize> = queue.waiting.iter().map(|item| item.payload.number).collect();
            for (number, left) in clients.iter().enumerate() {
                prop_assert!(ended.contains_key(&number) != waiting.contains(&number) || left.get());
            }
        }
    }
}
