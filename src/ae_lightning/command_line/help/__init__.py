"""What `fit --help` and its like print: the keys of a command in reading order."""
