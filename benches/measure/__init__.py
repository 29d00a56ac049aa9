"""What compare.py measures with.

`loads` says what is asked of a server and `servers` how each is started; `process` runs one,
`generator` drives one, `accounting` reads what one has cost, `rounds` lets them take turns,
`report` writes what came of it. Only the standard library is needed.
"""
