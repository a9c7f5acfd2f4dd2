import sys

from airflow_provider_aep.cli.program import main

sys.exit(main())
