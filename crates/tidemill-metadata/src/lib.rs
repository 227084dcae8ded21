//! What happened: runs, executions, artifacts, events, registered models; artifact bytes on disk
