"""The recorder: the legs of a call become one file, agent left and customer right."""
