//! Cases for `RunLeases`.

use std::sync::Barrier;

use tidemill_metadata::{RunLease, RunLeases, StoreError};

type Leases = dyn RunLeases;

fn is_busy(taken: Result<Box<dyn RunLease>, StoreError>) -> bool {
    match taken {
        Ok(_) => false,
        Err(StoreError::Busy { pipeline, .. }) => pipeline == "taxi",
        Err(error) => panic!("{error}"),
    }
}

pub fn a_lease_is_held_by_one(leases: &Leases) {
    assert!(!leases.is_held("taxi").unwrap());
    let lease = leases.acquire("taxi").unwrap();
    assert_eq!(lease.pipeline(), "taxi");
    assert!(leases.is_held("taxi").unwrap());
    assert!(is_busy(leases.acquire("taxi")));
    lease.renew().unwrap();
    assert!(is_busy(leases.acquire("taxi")), "asking did not free it");
}

pub fn a_dropped_lease_is_free(leases: &Leases) {
    for _ in 0..3 {
        drop(leases.acquire("taxi").unwrap());
        assert!(!leases.is_held("taxi").unwrap());
    }
}

pub fn pipelines_have_leases_of_their_own(leases: &Leases) {
    let _taxi = leases.acquire("taxi").unwrap();
    let _fares = leases.acquire("fares").unwrap();
    assert!(leases.is_held("taxi").unwrap() && leases.is_held("fares").unwrap());
    assert!(!leases.is_held("tips").unwrap());
}

pub fn names_that_would_leave_the_store_are_refused(leases: &Leases) {
    for name in ["../taxi", "a/b", "", ".hidden"] {
        assert!(matches!(leases.acquire(name), Err(StoreError::InvalidName { .. })), "{name}");
        assert!(leases.is_held(name).is_err(), "{name}");
    }
}

pub fn one_of_many_threads_gets_the_lease(leases: &Leases) {
    let (start, end) = (Barrier::new(8), Barrier::new(8));
    let held: usize = std::thread::scope(|scope| {
        let take = || {
            start.wait();
            let lease = leases.acquire("taxi");
            let got = usize::from(lease.is_ok());
            // Nobody gives it back before everybody has tried.
            end.wait();
            got
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(held, 1);
    assert!(!leases.is_held("taxi").unwrap());
}
