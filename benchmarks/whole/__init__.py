"""What a wait costs in the whole of Airflow: ``python -m benchmarks.whole``."""
