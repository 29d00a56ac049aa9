"""What compare.py and per_request.py measure with.

`loads` says what is asked of a server and `servers` how each is started; `process` runs one,
`probe` asks it once, `generator` drives it, `accounting` reads what it has cost, `rounds` lets
them take turns, `footprint` looks at what needs no load. `summary` takes one value from several
rounds, `targets` judges, `report` and `chart` write what came of it. `cost` and `callgrind` count
what one request costs. Only the standard library is needed.
"""
