//! The pipeline file, plan, fingerprints and cache, scheduler and local runner
