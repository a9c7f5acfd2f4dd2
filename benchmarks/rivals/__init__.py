"""Three ways to have the same exports, each a program of its own: a job on stdin, figures on stdout."""
