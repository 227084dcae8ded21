//! What every implementation of the metadata store must do, run against each of them.

#![allow(clippy::unwrap_used, missing_docs)]

mod artifacts;
mod executions;
mod lineage;
mod registry;
mod runs;
mod world;

/// Runs every case against the store that `$open` makes. `$open` gives the store and what must outlive it.
macro_rules! store_conformance {
    ($name:ident, $open:expr) => {
        mod $name {
            store_conformance!(@cases $open;
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
                    what_a_step_last_said_yes_to_is_found;
                lineage: lineage_goes_up_to_the_data, lineage_goes_down_to_every_model, hops_are_counted;
                registry: versions_are_numbered_and_kept, only_models_of_known_runs_have_versions,
                    an_alias_moves_and_remembers, tags_of_a_version_are_set, versions_are_found_by_number_and_alias,
                    names_that_do_not_exist_are_named;
            );
        }
    };
    (@cases $open:expr; $($module:ident: $($case:ident),+;)+) => {
        $($(
            #[tokio::test]
            async fn $case() {
                let (store, _kept) = $open.await;
                super::$module::$case(&store).await;
            }
        )+)+
    };
}

store_conformance!(memory, async { (tidemill_metadata::MemoryStore::new(), ()) });
store_conformance!(sqlite, async {
    let dir = tempfile::tempdir().unwrap();
    (tidemill_metadata::SqliteStore::open(&dir.path().join("metadata.db")).await.unwrap(), dir)
});
