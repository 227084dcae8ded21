//! Examples and models that are elsewhere: object stores and databases.
