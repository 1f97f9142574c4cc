"""The model says what etcd does: operations and results as data, and the semantics as a pure function."""
