//! What every implementation of the store's traits must do, as suites of cases: [`metadata_store_suite`] for
//! `MetadataStore`, [`artifact_store_suite`] for `ArtifactStore` and [`run_leases_suite`] for `RunLeases`.
//!
//! A crate with an implementation depends on this one for its tests and calls the macro with a name for the module of
//! tests and an expression that makes an empty store and something that must outlive it:
//!
//! ```ignore
//! tidemill_store_suite::run_leases_suite!(memory, (MemoryLeases::new(), ()));
//! ```

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, missing_docs, reason = "these are tests")]

pub mod artifacts;
pub mod leases;
pub mod metadata;

/// Runs every case for a `MetadataStore`. `$open` is a future of the store and of what must outlive it; the tests need
/// tokio.
#[macro_export]
macro_rules! metadata_store_suite {
    ($name:ident, $open:expr) => {
        mod $name {
            $crate::metadata_store_suite!(@cases $open;
                runs: a_run_is_recorded_from_start_to_end, a_run_ends_once, runs_are_found_by_id_prefix_and_last,
                    runs_are_filtered_and_newest_first, what_dead_processes_left_is_marked,
                    ending_a_run_ends_its_executions;
                executions: an_execution_is_recorded_from_start_to_end, a_failed_execution_keeps_its_error,
                    an_execution_ends_once, a_key_is_given_once, what_is_not_recorded_cannot_be_referred_to,
                    a_cached_execution_repeats_the_events, only_complete_executions_are_cached,
                    the_newest_execution_of_a_fingerprint_is_found, the_last_execution_of_a_step_is_found,
                    a_refused_call_leaves_nothing;
                artifacts: an_artifact_is_recorded_once, artifacts_are_found_by_id_and_digest,
                    artifacts_are_filtered_and_newest_first, the_latest_blessed_model_is_found,
                    a_model_refused_by_any_gate_is_not_blessed, a_blessing_taken_from_the_cache_counts,
                    what_a_step_last_said_yes_to_is_found, a_deleted_artifact_keeps_its_record;
                lineage: lineage_goes_up_to_the_data, lineage_goes_down_to_every_model, hops_are_counted;
                registry: versions_are_numbered_and_kept, only_models_of_known_runs_have_versions,
                    an_alias_moves_and_remembers, tags_of_a_version_are_set, versions_are_found_by_number_and_alias,
                    names_that_do_not_exist_are_named;
                schedules: a_tick_is_recorded_once, a_tick_has_one_run, a_tick_whose_process_died_is_started_again,
                    a_tick_is_skipped_and_opened_again, a_schedule_is_paused_and_resumed,
                    leases_of_a_pipeline_recover_their_own_runs, a_waiting_run_is_resumed_once;
                approvals: a_question_is_asked_once, a_decision_is_made_once_and_kept, only_those_who_may_decide,
                    time_decides_for_those_who_do_not;
                values: values_are_kept_as_they_are, runs_are_searched_by_their_values;
            );
        }
    };
    (@cases $open:expr; $($module:ident: $($case:ident),+;)+) => {
        $($(
            #[tokio::test]
            async fn $case() {
                let (store, _kept) = $open.await;
                $crate::metadata::$module::$case(&store).await;
            }
        )+)+
    };
}

/// Runs every case for an `ArtifactStore`. `$open` gives the store, a function that overwrites the bytes of one stored
/// file behind its back, and what must outlive the store.
#[macro_export]
macro_rules! artifact_store_suite {
    ($name:ident, $open:expr) => {
        mod $name {
            $crate::artifact_store_suite!(@cases $open;
                an_artifact_is_found_under_the_digest_of_its_content, the_same_content_is_stored_once,
                what_is_staged_and_dropped_leaves_nothing, only_regular_files_are_stored,
                another_byte_is_damage_that_is_named, a_damaged_artifact_is_replaced_by_a_commit,
                a_quarantined_artifact_is_gone_and_can_be_stored_again, a_deleted_artifact_is_gone,
                what_is_not_there_is_missing, many_threads_commit_at_once);
        }
    };
    (@cases $open:expr; $($case:ident),+) => {
        $(
            #[test]
            fn $case() {
                let (store, overwrite, _kept) = $open;
                $crate::artifacts::$case(&store, &overwrite);
            }
        )+
    };
}

/// Runs every case for `RunLeases`. `$open` gives the leases and what must outlive them.
#[macro_export]
macro_rules! run_leases_suite {
    ($name:ident, $open:expr) => {
        mod $name {
            $crate::run_leases_suite!(@cases $open;
                a_lease_is_held_by_one, a_dropped_lease_is_free, pipelines_have_leases_of_their_own,
                names_that_would_leave_the_store_are_refused, one_of_many_threads_gets_the_lease);
        }
    };
    (@cases $open:expr; $($case:ident),+) => {
        $(
            #[test]
            fn $case() {
                let (leases, _kept) = $open;
                $crate::leases::$case(&leases);
            }
        )+
    };
}
