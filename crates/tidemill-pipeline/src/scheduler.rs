//! Decides which step may start when: a pure state machine.
//!
//! Events go in, commands come out. There is no clock, no thread and no I/O here; the runner executes the commands and
//! reports the results.

use std::collections::BTreeSet;

/// A step, as the scheduler sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Task {
    /// Steps whose outputs it reads, by index.
    pub reads: BTreeSet<usize>,
    /// Steps that only have to pass first.
    pub waits_for: BTreeSet<usize>,
    /// It runs after all others have ended, however they ended.
    pub cleanup: bool,
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// It completed with a verdict.
    Done {
        /// The verdict.
        passed: bool,
    },
    /// It failed.
    Failed,
    /// It was stopped.
    Canceled,
    /// It waits for a person: the run is parked once nothing else can be done.
    Waiting,
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The run begins.
    Start,
    /// A step ended.
    Ended {
        /// Its index.
        step: usize,
        /// Its result.
        ending: StepEnd,
    },
    /// The user wants the run to stop: nothing new starts.
    Cancel,
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Start a step.
    Run(usize),
    /// A step will never start.
    Skip {
        /// Its index.
        step: usize,
        /// Why.
        why: Skip,
    },
    /// Every step has ended or been skipped.
    Finish,
}

/// Why a step never starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    /// A step it depends on failed or was skipped itself.
    NotReached(usize),
    /// A step it depends on was rejected.
    Rejected(usize),
    /// A step it depends on waits for a person.
    Parked(usize),
    /// The run was cancelled.
    Canceled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Passed,
    Rejected,
    Parked,
    Dead,
}

/// The state machine of one run.
#[derive(Debug)]
pub struct Scheduler {
    tasks: Vec<Task>,
    states: Vec<State>,
    running_max: usize,
    canceled: bool,
    finished: bool,
}

impl Scheduler {
    /// A run of `tasks`, at most `running_max` of them at once. Tasks must not depend on each other in a circle.
    pub fn new(tasks: Vec<Task>, running_max: usize) -> Self {
        let states = vec![State::Waiting; tasks.len()];
        Self { tasks, states, running_max: running_max.max(1), canceled: false, finished: false }
    }

    /// Handles an event and returns the resulting commands, in order.
    pub fn handle(&mut self, event: Event) -> Vec<Command> {
        match event {
            Event::Start => {}
            Event::Cancel => self.canceled = true,
            Event::Ended { step, ending } => {
                self.states[step] = match ending {
                    StepEnd::Done { passed: true } => State::Passed,
                    StepEnd::Done { passed: false } => State::Rejected,
                    StepEnd::Waiting => State::Parked,
                    StepEnd::Failed | StepEnd::Canceled => State::Dead,
                };
            }
        }
        let mut commands = Vec::new();
        self.skip_unreachable(&mut commands);
        self.start_ready(&mut commands);
        if !self.finished && !self.states.iter().any(|s| matches!(s, State::Waiting | State::Running)) {
            self.finished = true;
            commands.push(Command::Finish);
        }
        commands
    }

    /// Skips until nothing changes: steps that depend on a skipped step are skipped too.
    fn skip_unreachable(&mut self, commands: &mut Vec<Command>) {
        loop {
            let skip = (0..self.tasks.len()).find_map(|step| {
                (self.states[step] == State::Waiting).then(|| self.blocked_by(step)).flatten().map(|why| (step, why))
            });
            let Some((step, why)) = skip else { return };
            self.states[step] = State::Dead;
            commands.push(Command::Skip { step, why });
        }
    }

    fn blocked_by(&self, step: usize) -> Option<Skip> {
        let task = &self.tasks[step];
        if task.cleanup
            && let Some(parked) = self.states.iter().position(|state| *state == State::Parked)
        {
            // The run goes on later.
            return Some(Skip::Parked(parked));
        }
        // A clean-up step waits for no verdict; what it reads must be there.
        let gates = task.waits_for.iter().filter(|_| !task.cleanup);
        let mut before = task.reads.iter().chain(gates);
        before
            .find_map(|&other| match self.states[other] {
                State::Dead => Some(Skip::NotReached(other)),
                State::Rejected => Some(Skip::Rejected(other)),
                State::Parked => Some(Skip::Parked(other)),
                _ => None,
            })
            .or(self.canceled.then_some(Skip::Canceled))
    }

    /// Whether every step that is not a clean-up step has ended.
    fn others_have_ended(&self) -> bool {
        let mut others = self.tasks.iter().zip(&self.states).filter(|(task, _)| !task.cleanup);
        others.all(|(_, state)| !matches!(state, State::Waiting | State::Running))
    }

    fn start_ready(&mut self, commands: &mut Vec<Command>) {
        for step in 0..self.tasks.len() {
            let running = self.states.iter().filter(|state| **state == State::Running).count();
            if running >= self.running_max {
                return;
            }
            let task = &self.tasks[step];
            let passed = |other: &usize| self.states[*other] == State::Passed;
            let ready = match task.cleanup {
                true => task.reads.iter().all(passed) && self.others_have_ended(),
                false => task.reads.iter().chain(&task.waits_for).all(passed),
            };
            if self.states[step] == State::Waiting && ready {
                self.states[step] = State::Running;
                commands.push(Command::Run(step));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task(reads: &[usize], waits_for: &[usize]) -> Task {
        Task { reads: reads.iter().copied().collect(), waits_for: waits_for.iter().copied().collect(), cleanup: false }
    }

    fn done(step: usize, passed: bool) -> Event {
        Event::Ended { step, ending: StepEnd::Done { passed } }
    }

    #[test]
    fn independent_steps_start_together() {
        let mut scheduler =
            Scheduler::new(vec![task(&[], &[]), task(&[0], &[]), task(&[0], &[]), task(&[1, 2], &[])], 8);
        assert_eq!(scheduler.handle(Event::Start), [Command::Run(0)]);
        assert_eq!(scheduler.handle(done(0, true)), [Command::Run(1), Command::Run(2)]);
        assert_eq!(scheduler.handle(done(2, true)), []);
        assert_eq!(scheduler.handle(done(1, true)), [Command::Run(3)]);
        assert_eq!(scheduler.handle(done(3, true)), [Command::Finish]);
    }

    #[test]
    fn a_no_stops_what_waits_for_it_and_all_that_follows() {
        let mut scheduler = Scheduler::new(vec![task(&[], &[]), task(&[], &[0]), task(&[1], &[])], 8);
        scheduler.handle(Event::Start);
        assert_eq!(
            scheduler.handle(done(0, false)),
            [
                Command::Skip { step: 1, why: Skip::Rejected(0) },
                Command::Skip { step: 2, why: Skip::NotReached(1) },
                Command::Finish
            ]
        );
    }

    #[test]
    fn a_cancelled_run_starts_nothing_new_and_waits_for_what_runs() {
        let mut scheduler = Scheduler::new(vec![task(&[], &[]), task(&[0], &[])], 8);
        scheduler.handle(Event::Start);
        assert_eq!(scheduler.handle(Event::Cancel), [Command::Skip { step: 1, why: Skip::Canceled }]);
        assert_eq!(scheduler.handle(Event::Ended { step: 0, ending: StepEnd::Canceled }), [Command::Finish]);
    }

    #[test]
    fn a_cleanup_step_runs_after_failures_and_not_while_the_run_is_parked() {
        let tasks = || vec![task(&[], &[]), task(&[0], &[]), Task { cleanup: true, ..task(&[], &[0]) }];
        let mut scheduler = Scheduler::new(tasks(), 8);
        assert_eq!(scheduler.handle(Event::Start), [Command::Run(0)]);
        let failed = scheduler.handle(Event::Ended { step: 0, ending: StepEnd::Failed });
        assert_eq!(failed, [Command::Skip { step: 1, why: Skip::NotReached(0) }, Command::Run(2)]);
        assert_eq!(scheduler.handle(done(2, true)), [Command::Finish]);
        let mut scheduler = Scheduler::new(tasks(), 8);
        scheduler.handle(Event::Start);
        let parked = scheduler.handle(Event::Ended { step: 0, ending: StepEnd::Waiting });
        assert_eq!(
            parked,
            [
                Command::Skip { step: 1, why: Skip::Parked(0) },
                Command::Skip { step: 2, why: Skip::Parked(0) },
                Command::Finish
            ]
        );
    }

    /// A seeded simulation: for any graph, results and their order, every step starts or is skipped exactly once, never
    /// before its dependencies have passed, and the run finishes once.
    fn simulate(edges: &[Vec<usize>], endings: &[u8], running_max: usize, order: &[usize], cancel_at: Option<usize>) {
        let tasks: Vec<Task> = edges.iter().map(|reads| task(reads, &[])).collect();
        let mut scheduler = Scheduler::new(tasks.clone(), running_max);
        let (mut running, mut passed, mut seen, mut finished) = (Vec::new(), BTreeSet::new(), BTreeSet::new(), 0);
        let mut commands = scheduler.handle(Event::Start);
        for turn in 0.. {
            for command in commands.drain(..) {
                match command {
                    Command::Run(step) => {
                        assert!(tasks[step].reads.iter().all(|other| passed.contains(other)));
                        assert!(seen.insert(step));
                        running.push(step);
                    }
                    Command::Skip { step, .. } => assert!(seen.insert(step)),
                    Command::Finish => finished += 1,
                }
            }
            assert!(running.len() <= running_max);
            if running.is_empty() {
                break;
            }
            if cancel_at == Some(turn) {
                commands = scheduler.handle(Event::Cancel);
                continue;
            }
            let step = running.remove(order[turn % order.len()] % running.len());
            let ending = match endings[step] {
                0 => StepEnd::Failed,
                1 => StepEnd::Done { passed: false },
                2 => StepEnd::Waiting,
                _ => StepEnd::Done { passed: true },
            };
            if ending == (StepEnd::Done { passed: true }) {
                passed.insert(step);
            }
            commands = scheduler.handle(Event::Ended { step, ending });
        }
        assert_eq!((finished, seen.len()), (1, tasks.len()));
    }

    proptest! {
        #[test]
        fn any_run_ends_well(
            raw in prop::collection::vec((prop::collection::vec(any::<prop::sample::Index>(), 0..4), 0u8..8), 1..12),
            running_max in 1usize..4,
            order in prop::collection::vec(0usize..16, 1..16),
            cancel_at in prop::option::of(0usize..12),
        ) {
            let edges: Vec<Vec<usize>> = raw
                .iter()
                .enumerate()
                .map(|(step, (before, _))| if step == 0 { vec![] } else { before.iter().map(|i| i.index(step)).collect() })
                .collect();
            let endings: Vec<u8> = raw.iter().map(|(_, ending)| *ending).collect();
            simulate(&edges, &endings, running_max, &order, cancel_at);
        }
    }
}
