"""The exports page inside Airflow's UI, for Airflow 3.1 and later."""
