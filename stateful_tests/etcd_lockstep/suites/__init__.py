"""What the fixtures of the pytest plugin are made of, for suites that run on a fake and on a real etcd."""
