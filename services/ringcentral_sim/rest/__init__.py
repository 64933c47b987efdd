"""REST endpoints of the simulated platform, one file a resource."""
