//! The model server: sources, versions, routes; TF Serving and Open Inference Protocol
