"""Apache Airflow provider for dataset exports from Adobe Experience Platform."""

__version__ = "0.1.0"
