use jiff::Timestamp;
use serde_json::json;
use tidemill_core::{Code, Coded as _};
use tidemill_metadata::{Approval, ApprovalFilter, ApprovalId, ApprovalState, Decision, NewApproval, Run, StoreError};

use super::world::{Store, begin};

fn question(run: &Run, subject: &str) -> NewApproval {
    NewApproval {
        pipeline: "taxi".into(),
        step: "approve".into(),
        subject: subject.into(),
        run_id: Some(run.id.clone()),
        expires_at: None,
        on_timeout: ApprovalState::Rejected,
        author: Some("ann".into()),
        approvers: Vec::new(),
        not_author: true,
        context: json!({ "auc": 0.95 }),
    }
}

async fn ask(store: &Store, subject: &str) -> Approval {
    let run = begin(store, "taxi").await;
    store.request_approval(question(&run, subject)).await.unwrap()
}

fn yes(by: &str) -> Decision {
    Decision { state: ApprovalState::Approved, by: by.into(), reason: Some("looks good".into()) }
}

pub async fn a_question_is_asked_once(store: &Store) {
    let asked = ask(store, "m1").await;
    assert_eq!((asked.state, asked.decided_by.as_ref()), (ApprovalState::Waiting, None));
    let again = ask(store, "m1").await;
    assert_eq!(again, asked);
    let other = ask(store, "m2").await;
    assert_ne!(other.id, asked.id);
    assert_eq!(store.approval(asked.id.as_str()).await.unwrap(), asked);
    assert!(matches!(store.approval("zz").await, Err(StoreError::NotFound { kind: "approval", .. })));
    let listed = store.approvals(&ApprovalFilter::default(), 10).await.unwrap();
    assert_eq!(listed, [other, asked]);
}

pub async fn a_decision_is_made_once_and_kept(store: &Store) {
    let asked = ask(store, "m1").await;
    let decided = store.decide(&asked.id, yes("bob")).await.unwrap();
    assert_eq!(decided.state, ApprovalState::Approved);
    assert_eq!((decided.decided_by.as_deref(), decided.reason.as_deref()), (Some("bob"), Some("looks good")));
    assert_eq!(ask(store, "m1").await, decided, "asking again gives the decision");
    let no = Decision { state: ApprovalState::Rejected, by: "eve".into(), reason: None };
    match store.decide(&asked.id, no).await {
        Err(error @ StoreError::Decided { .. }) => assert_eq!(error.code(), Code::ApprovalDenied),
        other => panic!("{other:?}"),
    }
    let waiting = ApprovalFilter { state: Some(ApprovalState::Waiting), ..ApprovalFilter::default() };
    assert!(store.approvals(&waiting, 10).await.unwrap().is_empty());
    let unknown = store.decide(&ApprovalId::from("nobody"), yes("bob")).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
}

pub async fn only_those_who_may_decide(store: &Store) {
    let asked = ask(store, "m1").await;
    let own = store.decide(&asked.id, yes("ann")).await;
    assert!(matches!(&own, Err(StoreError::Denied { reason, .. }) if reason.contains("somebody else")), "{own:?}");
    let run = begin(store, "taxi").await;
    let listed = NewApproval { approvers: vec!["bob".into(), "cy".into()], ..question(&run, "m2") };
    let asked = store.request_approval(listed).await.unwrap();
    let denied = store.decide(&asked.id, yes("eve")).await;
    assert!(matches!(&denied, Err(StoreError::Denied { reason, .. }) if reason.contains("bob, cy may")), "{denied:?}");
    assert_eq!(store.approval(asked.id.as_str()).await.unwrap().state, ApprovalState::Waiting);
    store.decide(&asked.id, yes("cy")).await.unwrap();
}

pub async fn time_decides_for_those_who_do_not(store: &Store) {
    let run = begin(store, "taxi").await;
    let due: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let new = NewApproval { expires_at: Some(due), on_timeout: ApprovalState::Approved, ..question(&run, "m1") };
    let asked = store.request_approval(new).await.unwrap();
    ask(store, "m2").await;
    assert!(store.expire_approvals("2026-01-01T11:59:59Z".parse().unwrap()).await.unwrap().is_empty());
    let expired = store.expire_approvals(due).await.unwrap();
    assert_eq!(expired.len(), 1);
    assert_eq!((&expired[0].id, expired[0].state), (&asked.id, ApprovalState::Approved));
    assert_eq!(expired[0].decided_by.as_deref(), Some("time-out"));
    assert!(store.expire_approvals(due).await.unwrap().is_empty());
}
