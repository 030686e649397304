"""A package, so that the suites that several implementations share can be imported."""
