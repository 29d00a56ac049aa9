"""The test bench: it starts the real program and speaks to it over sockets. It imports nothing of the program."""
