"""Policy as code: versions, evaluation, checking."""
