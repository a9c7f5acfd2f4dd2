"""The conversation with Adobe's Flow Service, free of Airflow; only ``transport`` does I/O."""
