"""A scripted Kubeflow Pipelines API server: see ../README.md. Python's standard library and PyYAML."""
