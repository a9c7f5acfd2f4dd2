"""Judging dataflow runs; pure functions, free of Airflow."""
