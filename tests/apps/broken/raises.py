raise ZeroDivisionError("raised while it is imported")
