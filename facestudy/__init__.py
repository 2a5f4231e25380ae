"""A study of face classifiers, as a library that the stages of dvc.yaml (stages/) and the command line call."""
