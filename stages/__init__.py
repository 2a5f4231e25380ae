"""The entry points of the stages in dvc.yaml, one file each; the package `facestudy` does their work."""

from facestudy import process

process.start()
