//! Load on a model server: open loop, latency as a client sees it.
