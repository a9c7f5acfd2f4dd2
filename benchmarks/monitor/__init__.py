"""What a deferred wait costs in the triggerer: ``python -m benchmarks.monitor``."""
