"""What ``make`` runs: environments, checks, a local Airflow, the demo. Not part of the installed package."""
