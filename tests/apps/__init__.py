"""The applications that the tests serve. They import nothing of the program either."""
